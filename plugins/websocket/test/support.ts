import { once } from 'node:events'
import { websocket } from '@gateway/websocket'
import { WebSocket, WebSocketServer } from 'ws'
import { onCleanup } from '../../../test/support/cleanup.ts'
import { type LooseConfig, proxyTo, startGateway, startGatewayByClock } from '../../../test/support/gateway.ts'

type Carrying = { readonly plugin?: object; readonly plugins?: unknown[]; readonly route?: object } & LooseConfig

/** A gateway with one route that carries WebSockets. */
export const carrying = (origin: string, settings: unknown = true, more: Carrying = {}) =>
  startGateway(configOf(origin, settings, more))

/** As {@link carrying}; its times pass when the test says so. */
export const carryingByClock = (origin: string, settings: unknown, more: Carrying = {}) =>
  startGatewayByClock(configOf(origin, settings, more))

function configOf(origin: string, settings: unknown, { plugin, plugins = [], route, ...more }: Carrying): LooseConfig {
  const list = [...plugins, websocket(plugin)]
  return proxyTo(origin, { plugins: list, route: { websocket: settings, ...route }, ...more })
}

export interface WsServer {
  readonly origin: string
  readonly server: WebSocketServer
  /** The next connection. */
  next(): Promise<WebSocket>
}

/** A ws server, closed after the test. By default it sends back what it gets. */
export async function wsServer(
  each: (socket: WebSocket) => void = echo,
  options: ConstructorParameters<typeof WebSocketServer>[0] = {},
): Promise<WsServer> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...options })
  await once(server, 'listening')
  server.on('connection', socket => {
    socket.on('error', () => {})
    each(socket)
  })
  onCleanup('upstreams', async () => {
    for (const socket of server.clients) socket.terminate()
    await new Promise(closed => server.close(closed))
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return { origin: `http://127.0.0.1:${port}`, server, next: async () => (await once(server, 'connection'))[0] }
}

function echo(socket: WebSocket): void {
  socket.on('message', (data, binary) => socket.send(data, { binary }))
}

/** A ws client that is connected, terminated after the test. */
export async function wsClient(
  port: number,
  options: ConstructorParameters<typeof WebSocket>[2] = {},
  protocols: string[] = [],
): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, protocols, options)
  const closed = new Promise(resolve => socket.once('close', resolve))
  onCleanup('clients', async () => {
    socket.terminate()
    await closed
  })
  await once(socket, 'open')
  socket.on('error', () => {})
  return socket
}

export async function message(socket: WebSocket): Promise<{ data: string; binary: boolean }> {
  const [data, binary] = await once(socket, 'message')
  return { data: data.toString('latin1'), binary }
}

/** How it closed. */
export async function closing(socket: WebSocket): Promise<{ code: number; reason: string }> {
  const [code, reason] = await once(socket, 'close')
  return { code, reason: reason.toString() }
}
