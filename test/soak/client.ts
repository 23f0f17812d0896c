import { once } from 'node:events'
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Readable, Writable } from 'node:stream'

export type Transport = 'HTTP/1.1' | 'HTTP/1.1 with TLS' | 'HTTP/2' | 'HTTP/2 with TLS'
export const transports: readonly Transport[] = ['HTTP/1.1', 'HTTP/1.1 with TLS', 'HTTP/2', 'HTTP/2 with TLS']

/** A request on its way, whatever it goes over. */
export interface Sent {
  /** To be ended, also when there is no body. */
  readonly body: Writable
  /** Rejects when the exchange fails before its head. */
  readonly response: Promise<{ readonly status: number; readonly body: Readable }>
  /** Gives the exchange up: it alone where the protocol can, or its connection with FIN or RST. */
  leave(how: 'cancel' | 'FIN' | 'RST'): void
}

export interface Ports {
  readonly plain: number
  readonly tls: number
}

/** A connection of HTTP/2 with the requests that it may still take, and those that it has. */
interface Kept {
  readonly session: ClientHttp2Session
  left: number
  open: number
}

/** Clients with connections that they keep, and replace now and then. */
export class SoakClient {
  readonly #ports: Ports
  readonly #agent = new HttpAgent({ keepAlive: true })
  readonly #tlsAgent = new HttpsAgent({ keepAlive: true, rejectUnauthorized: false })
  readonly #sessions = new Map<Transport, Kept>()
  readonly #open = new Set<ClientHttp2Session>()

  constructor(ports: Ports) {
    this.#ports = ports
  }

  /** `alone`: on a connection of its own, which may be torn down under it. */
  send(transport: Transport, method: string, path: string, headers: Record<string, string>, alone: boolean): Sent {
    return transport.startsWith('HTTP/1.1')
      ? this.#send1(transport !== 'HTTP/1.1', method, path, headers, alone)
      : this.#send2(transport, method, path, headers, alone)
  }

  /** A new connection of HTTP/2. */
  connect(transport: Transport): ClientHttp2Session {
    const { plain, tls } = this.#ports
    const origin = transport === 'HTTP/2' ? `http://127.0.0.1:${plain}` : `https://127.0.0.1:${tls}`
    const session = connectHttp2(origin, { rejectUnauthorized: false })
    session.on('error', () => {})
    this.#open.add(session)
    session.on('close', () => this.#open.delete(session))
    return session
  }

  async close(): Promise<void> {
    this.#agent.destroy()
    this.#tlsAgent.destroy()
    const closed = [...this.#open].map(session => once(session, 'close'))
    for (const session of this.#open) session.destroy()
    await Promise.all(closed)
  }

  #send1(tls: boolean, method: string, path: string, headers: Record<string, string>, alone: boolean): Sent {
    const agent = alone ? false : tls ? this.#tlsAgent : this.#agent
    const to = { host: '127.0.0.1', method, path, headers, agent, rejectUnauthorized: false }
    const request = tls
      ? httpsRequest({ ...to, port: this.#ports.tls })
      : httpRequest({ ...to, port: this.#ports.plain })
    request.on('error', () => {})
    return {
      body: request,
      response: new Promise((resolve, reject) => {
        request.on('response', response => resolve({ status: response.statusCode ?? 0, body: response }))
        request.on('close', () => reject(request.errored ?? new Error('closed before a response')))
      }),
      leave(how) {
        const { socket } = request
        if (how === 'RST' && socket && !tls && !socket.connecting && !socket.destroyed) socket.resetAndDestroy()
        request.destroy()
      },
    }
  }

  #send2(transport: Transport, method: string, path: string, headers: Record<string, string>, alone: boolean): Sent {
    const kept = alone ? { session: this.connect(transport), left: 0, open: 0 } : this.#kept(transport)
    const { session } = kept
    const stream = session.request({ ...headers, ':method': method, ':path': path }, { endStream: false })
    stream.on('error', () => {})
    kept.open++
    stream.on('close', () => {
      kept.open--
      // Closed earlier, Node's client would drop what it has received and not read yet when the server closes, too.
      if (kept.open === 0 && kept.left === 0) session.close()
    })
    return {
      body: stream,
      response: new Promise((resolve, reject) => {
        stream.on('response', head => resolve({ status: head[':status'] ?? 0, body: stream }))
        stream.on('close', () => reject(stream.errored ?? new Error(`closed with ${stream.rstCode}`)))
      }),
      leave(how) {
        if (how === 'cancel' || !alone) stream.close(constants.NGHTTP2_CANCEL)
        else session.destroy()
      },
    }
  }

  /** The connection that takes the next request. */
  #kept(transport: Transport): Kept {
    let kept = this.#sessions.get(transport)
    if (kept === undefined || kept.left === 0 || kept.session.closed || kept.session.destroyed) {
      kept = { session: this.connect(transport), left: 200, open: 0 }
      this.#sessions.set(transport, kept)
    }
    kept.left--
    return kept
  }
}
