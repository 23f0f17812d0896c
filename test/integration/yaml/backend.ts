import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { onCleanup } from '../../support/cleanup.ts'
import { acceptText, frame } from '../../support/websocket.ts'

/**
 * A server that does what the examples' services do: tells its name and what it was asked, sends one event to who wants
 * events, and echoes what comes on a WebSocket.
 */
export async function startBackend(name: string): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((request, response) => {
    if (request.headers.accept === 'text/event-stream') {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(`data: ${name}\n\n`)
      return
    }
    request.resume().on('end', () => response.end(`${name} ${request.method} ${request.url}`))
  })
  server.on('connection', socket => sockets.add(socket))
  server.on('upgrade', (request, socket) => {
    socket.write(acceptText(request.headers['sec-websocket-key'] ?? ''))
    socket.on('error', () => {}).on('end', () => socket.end())
    // One short text a piece is all that the tests send.
    socket.on('data', (piece: Buffer) => {
      const mask = piece.subarray(2, 6)
      const text = piece.subarray(6).map((byte, index) => byte ^ (mask[index % 4] ?? 0))
      if (((piece[0] ?? 0) & 15) === 1) socket.write(frame(1, text), 'latin1')
      else socket.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onCleanup('upstreams', async () => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  })
  return (server.address() as AddressInfo).port
}
