import { once } from 'node:events'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer, type ListenOptions, type Server } from 'node:net'
import { onCleanup } from './cleanup.ts'
import { freePort } from './free-port.ts'
import { type Listening, listening, whereabouts } from './listening.ts'
import type { Message } from './message.ts'
import { responseText, Wire } from './wire.ts'

export interface RawUpstream {
  readonly origin: string
  readonly server: Server
  /** Connections in the order in which they came. */
  readonly wires: readonly Wire[]
  /** The connection of that number, from 1, as soon as it has come. */
  connection(number: number): Promise<Wire>
}

/** A server that does to each connection what a script says. A script that finds its connection closed just ends. */
export async function rawUpstream(
  script: (wire: Wire, number: number) => Promise<void> | void,
  listen: ListenOptions = {},
): Promise<RawUpstream> {
  const wires: Wire[] = []
  const server = createServer(socket => {
    const wire = new Wire(socket)
    wires.push(wire)
    server.emit('wire')
    void (async () => script(wire, wires.length))().catch(() => {})
  })
  server.listen(listen.path === undefined ? { host: '127.0.0.1', port: 0, ...listen } : listen)
  await once(server, 'listening')
  onCleanup('upstreams', async () => {
    const closed = once(server, 'close')
    server.close()
    // The gateways are closed by now, so their connections must end without our help once they are read.
    for (const wire of wires) wire.socket.resume()
    await Promise.all(wires.map(wire => wire.gone()))
    await closed
  })
  return {
    origin: whereabouts(server).origin,
    server,
    wires,
    async connection(number) {
      for (;;) {
        const wire = wires[number - 1]
        if (wire !== undefined) return wire
        await once(server, 'wire')
      }
    },
  }
}

/** Answers the first request of each connection with bytes, then does what `after` says. */
export function answering(bytes: string, after: (wire: Wire) => void = () => {}): Promise<RawUpstream> {
  return rawUpstream(async wire => {
    await wire.request()
    wire.socket.write(bytes, 'latin1', () => after(wire))
  })
}

export interface RecordingBackend extends RawUpstream {
  /** What it was asked, byte for byte, in order of arrival. */
  readonly requests: readonly Message[]
  /** The only request there was. Throws when there was none or more. */
  readonly only: Message
}

/** Keeps what it is asked and answers everything with what `answer` gives: by default 200 and `hello`. */
export async function recordingBackend(
  answer: (request: Message, connection: number) => string = () => responseText(200, [], 'hello'),
  listen: ListenOptions = {},
): Promise<RecordingBackend> {
  const requests: Message[] = []
  const upstream = await rawUpstream(async (wire, number) => {
    for (;;) {
      const request = await wire.request()
      requests.push(request)
      wire.send(answer(request, number))
    }
  }, listen)
  return {
    ...upstream,
    requests,
    get only() {
      const [request, ...more] = requests
      if (request === undefined || more.length > 0) throw new Error(`${requests.length} requests came instead of one`)
      return request
    },
  }
}

/** A node:http server, closed after the test. */
export const startUpstream = (handler: RequestListener): Promise<Listening> => listening(createHttpServer(handler))

/** An origin of this machine at which nobody listens. */
export const refusingOrigin = async (): Promise<string> => `http://127.0.0.1:${await freePort()}`
