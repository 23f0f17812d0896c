/** A thread with the upstream of the gateway that is reloaded, and the clients of its endless responses. */
import { once } from 'node:events'
import { createServer, get, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parentPort } from 'node:worker_threads'

export type Order = { readonly open: number; readonly port: number } | { readonly finish: true }

export interface StreamReport {
  readonly ticks: number
  /** Streams that ended, or missed a tick. */
  readonly broken: number
}

const endless = new Set<ServerResponse>()
const server = createServer((request, response) => {
  if (request.url === '/') return void response.end('ok')
  // Half of them without an announced length, as server-sent events are; half as a long download.
  response.writeHead(200, request.url === '/download' ? { 'Content-Length': 1e9 } : {}).flushHeaders()
  endless.add(response)
  response.on('close', () => endless.delete(response))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')

const tick = 'tick\n'
const received: number[] = []
let ended = 0
let ticks = 0

async function open(port: number, index: number): Promise<void> {
  const request = get({ port, host: '127.0.0.1', path: index % 2 === 0 ? '/events' : '/download', agent: false })
  const [response] = await once(request, 'response')
  received[index] = 0
  response.on('data', (piece: Buffer) => {
    received[index] = (received[index] ?? 0) + piece.length
  })
  response.on('error', () => {})
  response.on('close', () => ended++)
}

let ticking: NodeJS.Timeout | undefined
parentPort?.on('message', async (order: Order) => {
  if ('open' in order) {
    for (let index = 0; index < order.open; index++) await open(order.port, index)
    ticking = setInterval(() => {
      ticks++
      for (const response of endless) response.write(tick)
    }, 100)
    parentPort?.postMessage('opened')
    return
  }
  clearInterval(ticking)
  const behind = () => received.filter(bytes => bytes !== ticks * tick.length).length
  // What was written last is on its way.
  for (let turn = 0; turn < 250 && behind() > 0; turn++) await new Promise(resolve => setTimeout(resolve, 20))
  const report: StreamReport = { ticks, broken: Math.max(ended, behind()) }
  parentPort?.postMessage(report)
})
parentPort?.postMessage((server.address() as AddressInfo).port)
