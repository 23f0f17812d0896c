/** A thread with the upstream of the gateway that is reloaded, and the clients of its endless responses: downloads, event streams, WebSockets. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { parentPort } from 'node:worker_threads'
import { websocketAccept } from '../../core/src/http1/websocket-key.ts'

export type Order = { readonly open: number; readonly port: number } | { readonly finish: true }

export interface StreamReport {
  readonly ticks: number
  /** Streams that ended, or missed a tick. */
  readonly broken: number
}

/** Of each kind of stream, what a tick sends of it. */
const kinds = {
  '/download': 'tick\n',
  '/events': 'data: tick\n\n',
  // A text frame.
  '/socket': '\x81\x05tick\n',
} as const
type Path = keyof typeof kinds
const paths = Object.keys(kinds) as Path[]

const endless = new Map<Writable, Path>()
const keep = (stream: Writable, path: Path) => {
  endless.set(stream, path)
  stream.on('close', () => endless.delete(stream))
}
const server = createServer((request, response) => {
  const path = paths.find(other => other === request.url)
  if (path === undefined) return void response.end('ok')
  const headers = {
    '/download': { 'Content-Length': 1e9 },
    '/events': { 'Content-Type': 'text/event-stream' },
    '/socket': {},
  }
  response.writeHead(200, headers[path]).flushHeaders()
  keep(response, path)
})
server.on('upgrade', (request, socket) => {
  const accept = websocketAccept(request.headers['sec-websocket-key'] ?? '')
  const lines = ['Connection: Upgrade', 'Upgrade: websocket', `Sec-WebSocket-Accept: ${accept}`]
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`)
  socket.on('error', () => {})
  keep(socket, '/socket')
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')

const streams: { readonly path: Path; received: number }[] = []
let ended = 0
let ticks = 0

async function open(port: number, index: number): Promise<void> {
  const path = paths[index % paths.length] ?? '/download'
  const stream = { path, received: 0 }
  streams.push(stream)
  const headers = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': 13,
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
  }
  const upgrades = path === '/socket'
  const request = get({ port, host: '127.0.0.1', path, agent: false, ...(upgrades && { headers }) })
  const [response, socket] = await once(request, upgrades ? 'upgrade' : 'response')
  const body: Readable = upgrades ? socket : response
  body.on('data', (piece: Buffer) => {
    stream.received += piece.length
  })
  body.on('error', () => {})
  body.on('close', () => ended++)
}

let ticking: NodeJS.Timeout | undefined
parentPort?.on('message', async (order: Order) => {
  if ('open' in order) {
    for (let index = 0; index < order.open; index++) await open(order.port, index)
    ticking = setInterval(() => {
      ticks++
      for (const [stream, path] of endless) stream.write(kinds[path], 'latin1')
    }, 100)
    parentPort?.postMessage('opened')
    return
  }
  clearInterval(ticking)
  const behind = () => streams.filter(({ path, received }) => received !== ticks * kinds[path].length).length
  // What was written last is on its way.
  for (let turn = 0; turn < 250 && behind() > 0; turn++) await new Promise(resolve => setTimeout(resolve, 20))
  const report: StreamReport = { ticks, broken: Math.max(ended, behind()) }
  parentPort?.postMessage(report)
})
parentPort?.postMessage((server.address() as AddressInfo).port)
