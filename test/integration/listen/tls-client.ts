import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { onCleanup } from '../../support/cleanup.ts'
import type { Message } from '../../support/message.ts'
import { requestText, Wire } from '../../support/wire.ts'

export interface TlsWire extends Wire {
  readonly socket: TLSSocket
}

/** Opens a TLS connection that is closed after the test; rejects when the handshake fails. Verifies nothing by itself. */
export async function connectTls(port: number, options: ConnectionOptions = {}): Promise<TlsWire> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options })
  const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
  onCleanup('clients', async () => {
    socket.destroy()
    await closed
  })
  await once(socket, 'secureConnect')
  return Object.assign(new Wire(socket), { socket })
}

interface Over {
  /** Sent before the handshake begins. */
  readonly before?: string
  /** In one piece with its first bytes. */
  readonly together?: boolean
  /** Bytes of the first flight that are sent before `until`. */
  readonly split?: number
  readonly until?: Promise<void>
  /** Offered by ALPN. */
  readonly protocols?: string[]
}

/** Makes a TLS connection of one that is open, with a say in how it begins. */
export async function tlsOver(tcp: Wire, over: Over = {}): Promise<TlsWire> {
  const { before = '', together = false, split = 0, until, protocols = ['http/1.1'] } = over
  if (!together && before !== '') tcp.send(before)
  let first = true
  const transport = new Duplex({
    read() {},
    write(piece: Buffer, _, done) {
      if (!first) return void tcp.socket.write(piece, done)
      first = false
      tcp.send(Buffer.concat([Buffer.from(together ? before : '', 'latin1'), piece.subarray(0, split || piece.length)]))
      if (until === undefined) done()
      else until.then(() => tcp.socket.write(piece.subarray(split), done), done)
    },
  })
  // A wire reads latin1.
  tcp.socket.on('data', (text: string) => transport.push(Buffer.from(text, 'latin1')))
  tcp.socket.on('close', () => transport.destroy())
  const socket = connect({ socket: transport, rejectUnauthorized: false, ALPNProtocols: protocols })
  await once(socket, 'secureConnect')
  return Object.assign(new Wire(socket), { socket })
}

/** One request on a connection of its own. */
export async function getTls(port: number, options: ConnectionOptions = {}): Promise<Message> {
  const wire = await connectTls(port, options)
  wire.send(requestText('GET /', ['Connection: close']))
  return wire.response()
}

/** The subject's common name of what the server shows. */
export async function certificateFor(port: number, options: ConnectionOptions = {}): Promise<unknown> {
  const { socket } = await connectTls(port, options)
  const { CN } = socket.getPeerCertificate().subject
  socket.destroy()
  return CN
}

/** The code of the error that a handshake, or the first read after it, fails with; a TLS 1.3 client learns of some no earlier. */
export async function failure(port: number, options: ConnectionOptions = {}): Promise<string | undefined> {
  try {
    const wire = await connectTls(port, options)
    wire.send(requestText('GET /'))
    await wire.gone()
    if (wire.received !== '') throw new Error(`answered: ${wire.received}`)
    return wire.errorCode ?? 'closed'
  } catch (error) {
    if (error instanceof Error && 'code' in error) return String(error.code)
    throw error
  }
}

/** A session that can be resumed, from a connection that made a request. */
export async function sessionFrom(port: number, options: ConnectionOptions = {}): Promise<Buffer> {
  const wire = await connectTls(port, options)
  // With TLS 1.3 tickets come after the handshake.
  const ticket = once(wire.socket, 'session')
  const tls13 = wire.socket.getProtocol() === 'TLSv1.3'
  wire.send(requestText('GET /'))
  await wire.response()
  const session: unknown = tls13 ? (await ticket)[0] : wire.socket.getSession()
  wire.socket.destroy()
  if (!Buffer.isBuffer(session)) throw new Error('no session came')
  return session
}
