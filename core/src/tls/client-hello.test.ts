import { Duplex } from 'node:stream'
import { type ConnectionOptions, connect } from 'node:tls'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { askedServerName } from './client-hello.ts'

/** What OpenSSL says first. */
async function helloOf(options: ConnectionOptions): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>()
  const transport = new Duplex({
    read() {},
    write(piece: Buffer, _, done) {
      resolve(piece)
      done()
    },
  })
  const socket = connect({ socket: transport, ...options })
  const hello = await promise
  socket.destroy()
  return hello
}

/** The same message in records of so many bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5)
  const records: Uint8Array[] = []
  for (let at = 0; at < message.length; at += size) {
    const piece = message.subarray(at, at + size)
    records.push(Buffer.from([22, 3, 1, piece.length >> 8, piece.length & 255]), piece)
  }
  return Buffer.concat(records)
}

const hello = await helloOf({ servername: 'a.Wild.test', ALPNProtocols: ['h2'] })

describe('the server name of a ClientHello', () => {
  test.each([
    ['TLS 1.3', {}],
    ['TLS 1.2', { maxVersion: 'TLSv1.2' }],
  ] as const)('of %s', async (_, options) => {
    expect(askedServerName(await helloOf({ servername: 'b.test', ...options }))).toBe('b.test')
    expect(askedServerName(await helloOf(options))).toBe('')
  })

  test('shows once all of it is there, however it was cut', () => {
    for (const bytes of [hello, inRecords(hello, 300)]) {
      const told = Array.from({ length: bytes.length + 1 }, (_, end) => askedServerName(bytes.subarray(0, end)))
      expect(new Set(told.slice(0, -1))).toEqual(new Set([undefined]))
      expect(told.at(-1)).toBe('a.Wild.test')
    }
  })

  test.each([
    ['another record', Buffer.from([21, 3, 1, 0, 2, 1, 0])],
    ['another message', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0])],
    ['one without end', Buffer.from([22, 3, 1, 0, 4, 1, 0, 255, 255])],
    ['crumbs', inRecords(hello, 10)],
  ])('is none in %s', (_, bytes) => {
    expect(askedServerName(bytes)).toBe('')
  })

  test('never throws, whatever is in it', () => {
    const change = fc.record({ at: fc.nat(hello.length - 1), to: fc.nat(255) })
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), changes => {
        const bytes = Buffer.from(hello)
        for (const { at, to } of changes) bytes[at] = to
        expect(['string', 'undefined']).toContain(typeof askedServerName(bytes))
      }),
      { numRuns: 2_000, seed: 1 },
    )
  })
})
