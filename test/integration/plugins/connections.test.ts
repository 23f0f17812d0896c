import { type Connection, definePlugin } from '@gateway/core'
import { expect, test } from 'vitest'
import { connect, exchange, requestText } from '../../support/wire.ts'
import { type AnyPlugin, ask, errorsOf, startAnswering } from './support.ts'

const guarding = (name: string, onConnection: unknown): AnyPlugin =>
  definePlugin({ name, setup: () => ({ onConnection }) as never })() as never

test('is told of a connection before its first byte, once', async () => {
  const seen: Connection[] = []
  const running = await startAnswering([guarding('a', (connection: Connection) => void seen.push(connection))])
  const client = await connect(running.port)
  client.send(requestText('GET /1') + requestText('GET /2'))
  await client.response()
  await client.response()
  expect(seen).toEqual([{ address: '127.0.0.1', localPort: running.port, serverName: undefined }])
})

test('drop closes it, and later plugins are not asked', async () => {
  const asked: string[] = []
  const running = await startAnswering([
    guarding('dropping', () => {
      asked.push('dropping')
      return 'drop'
    }),
    guarding('never', () => void asked.push('never')),
  ])
  const client = await connect(running.port)
  client.send(requestText('GET /'))
  await client.gone()
  expect(client.transcript).toBe('')
  expect(asked).toEqual(['dropping'])
  expect(errorsOf(running)).toEqual([])
})

test.each<[string, () => unknown]>([
  [
    'throws',
    () => {
      throw new Error('boom')
    },
  ],
  ['answers later', async () => 'drop'],
  ['answers later, with an error', () => Promise.reject(new Error('later'))],
  ['answers something else', () => true],
])('a plugin that %s lets nobody in: access rules must not fail open', async (_, onConnection) => {
  const running = await startAnswering([guarding('bad', onConnection)])
  const client = await connect(running.port)
  client.send(requestText('GET /'))
  await client.gone()
  expect(client.transcript).toBe('')
  expect(errorsOf(running)).toEqual(['plugin "bad" failed in onConnection'])
})

test('a hook may be a method, and a connection let in is served', async () => {
  class Guard {
    #verdict = undefined
    onConnection() {
      return this.#verdict
    }
  }
  const running = await startAnswering([definePlugin({ name: 'classy', setup: () => new Guard() })() as never])
  expect((await exchange(running.port, 'GET /')).body).toBe('own')
})

test('gateway.fetch has no connection', async () => {
  const running = await startAnswering([guarding('dropping', () => 'drop')])
  expect(await ask(running)).toBe('200 own')
})

test('connections are judged by the generation that serves', async () => {
  const running = await startAnswering([])
  await running.gateway.reload({
    listen: { port: 0, host: '127.0.0.1' },
    plugins: [guarding('dropping', () => 'drop')],
    routes: {},
  })
  const client = await connect(running.port)
  await client.gone()
})
