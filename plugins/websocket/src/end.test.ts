import { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { frame } from '../../../test/support/websocket.ts'
import { End } from './end.ts'

test('who pings and reads no answer is owed one of them', async () => {
  let take: (() => void) | undefined
  let sent = ''
  const stream = new Duplex({
    writableHighWaterMark: 1_024,
    read() {},
    write(chunk: Buffer, _encoding, done) {
      sent += chunk.toString('latin1')
      take = done
    },
  })
  const end = new End({
    stream,
    isServer: true,
    deflate: undefined,
    maxMessageSize: 1_024,
    onBytes: () => {},
    now: () => 0,
  })
  const text = end.messages().next()
  for (let i = 0; i < 1_000; i++) stream.push(frame(9, `${i}`.padStart(100, ' '), { mask: true }), 'latin1')
  stream.push(frame(1, 'after them', { mask: true }), 'latin1')
  expect((await text).value?.data.toString()).toBe('after them')
  expect(stream.writableLength).toBeLessThan(2_048)
  while (take !== undefined) {
    const done = take
    take = undefined
    done()
    await new Promise(resolve => setImmediate(resolve))
  }
  expect(sent.match(/\d+/g)?.at(-1)).toBe('999')
})
