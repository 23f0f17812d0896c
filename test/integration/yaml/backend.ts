import { createServer } from 'node:http'
import { listening } from '../../support/listening.ts'
import { acceptText, frame } from '../../support/websocket.ts'

/**
 * A server that does what the examples' services do: tells its name and what it was asked, sends one event to who wants
 * events, and echoes what comes on a WebSocket.
 */
export async function startBackend(name: string): Promise<number> {
  const server = createServer((request, response) => {
    if (request.headers.accept === 'text/event-stream') {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(`data: ${name}\n\n`)
      return
    }
    request.resume().on('end', () => response.end(`${name} ${request.method} ${request.url}`))
  })
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
  return (await listening(server)).port
}
