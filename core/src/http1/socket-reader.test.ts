import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { releasePiece, SocketReader } from './socket-reader.ts'

const open: { destroy(): unknown }[] = []
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy()
})

/** Both ends of a connection; the server's is the accepted one. */
async function pair(): Promise<[accepted: Socket, other: Socket]> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const other = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', noDelay: true })
  const [accepted] = (await once(server, 'connection')) as [Socket]
  server.close()
  if (other.connecting) await once(other, 'connect')
  open.push(accepted, other)
  return [accepted, other]
}

/** Hands all that is read to a sink, and waits. */
class Reading {
  readonly reader: SocketReader
  bytes = 0
  #wake: () => void = () => {}

  constructor(socket: Socket, onPiece: (piece: Uint8Array) => void) {
    const sink = {
      onData: (piece: Uint8Array) => {
        onPiece(piece)
        return true
      },
    }
    this.reader = new SocketReader(socket, bytes => {
      this.reader.deliver(bytes, sink)
      this.bytes += bytes.length
      this.#wake()
    })
  }

  async until(bytes: number): Promise<void> {
    while (this.bytes < bytes) await new Promise<void>(resolve => (this.#wake = resolve))
  }
}

/** Content that says where it stands. */
function counted(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32BE(at, at)
  return bytes
}

const megabytes = counted(4_000_000)

describe.each(['accepted', 'connected'])('an %s socket', which => {
  const ends = async () => {
    const both = await pair()
    return which === 'accepted' ? both : (both.toReversed() as typeof both)
  }

  test('is read into buffers that are used again', async () => {
    const [socket, other] = await ends()
    let events = 0
    const buffers = new Set<ArrayBufferLike>()
    const reading = new Reading(socket, piece => {
      buffers.add(piece.buffer)
      releasePiece(piece)
    })
    socket.on('data', () => events++)
    other.write(megabytes)
    await reading.until(megabytes.length)
    // Should a Node not take these buffers any more, all still works, at the price of a buffer a read.
    expect(events).toBe(0)
    expect(buffers.size).toBeLessThan(8)
  })

  test('leaves a piece alone that nobody released', async () => {
    const [socket, other] = await ends()
    const pieces: Uint8Array[] = []
    let count = 0
    const reading = new Reading(socket, piece => {
      if (++count % 3 === 0) {
        pieces.push(Buffer.from(piece))
        releasePiece(piece)
      } else {
        pieces.push(piece)
      }
    })
    // One by one, so that each is a read; then more than fits into any buffer.
    for (let at = 0; at < 40_000; at += 1_000) {
      other.write(megabytes.subarray(at, at + 1_000))
      await reading.until(at + 1_000)
    }
    other.write(megabytes.subarray(40_000))
    await reading.until(megabytes.length)
    expect(Buffer.concat(pieces).equals(megabytes)).toBe(true)
  })
})

test('a piece is released by name: another one, or part of it, is not it', async () => {
  const [socket, other] = await pair()
  const pieces: Uint8Array[] = []
  const reading = new Reading(socket, piece => {
    pieces.push(piece)
    releasePiece(piece.subarray())
  })
  other.write(megabytes)
  await reading.until(megabytes.length)
  expect(Buffer.concat(pieces).equals(megabytes)).toBe(true)
})

test('while paused the socket holds what comes, and gives it first', async () => {
  const [socket, other] = await pair()
  const pieces: Buffer[] = []
  const reading = new Reading(socket, piece => pieces.push(Buffer.from(piece)))
  reading.reader.pause()
  other.write(megabytes.subarray(0, 1_000_000))
  while (socket.readableLength === 0) await new Promise(resolve => setImmediate(resolve))
  expect(reading.bytes).toBe(0)
  reading.reader.resume()
  await reading.until(1_000_000)
  expect(Buffer.concat(pieces).equals(megabytes.subarray(0, 1_000_000))).toBe(true)
})

test('while paused an end is noticed', async () => {
  const [socket, other] = await pair()
  const reading = new Reading(socket, () => {})
  reading.reader.pause()
  other.end()
  await once(socket, 'end')
})

test('given up, the socket is like any other', async () => {
  const [socket, other] = await pair()
  const reading = new Reading(socket, () => {})
  other.write('before')
  await reading.until(6)
  socket.pause()
  reading.reader.stop()
  const pieces: Buffer[] = []
  let bytes = 0
  other.end(megabytes)
  for await (const piece of socket) {
    pieces.push(piece)
    bytes += piece.length
    // A slow reader, now and then.
    if (pieces.length % 7 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  expect(bytes).toBe(megabytes.length)
  expect(Buffer.concat(pieces).equals(megabytes)).toBe(true)
})
