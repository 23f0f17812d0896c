/**
 * An upstream of streams: `node test/bench/streams-upstream.ts PORT`. At /socket and /framed WebSockets, which get each
 * message back; at /events a stream of one event, open for ever; at any other path what the other upstreams answer.
 */
import { createServer } from 'node:http'
import type { Duplex } from 'node:stream'
import { websocketAccept } from '../../core/src/http1/websocket-key.ts'

const server = createServer((request, response) => {
  if (request.url === '/events') {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    response.write('data: hello\n\n')
  } else response.end('{"message":"hello from the backend server, 57 bytes...!"}')
})
server.on('upgrade', (request, socket: Duplex) => {
  const accept = websocketAccept(request.headers['sec-websocket-key'] ?? '')
  const lines = ['Connection: Upgrade', 'Upgrade: websocket', `Sec-WebSocket-Accept: ${accept}`]
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`)
  socket.on('error', () => {})
  echo(socket)
})
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 1024 })

/** For messages of up to 125 bytes. */
function echo(socket: Duplex): void {
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length >= 2) {
      const end = 6 + (rest.readUInt8(1) & 0x7f)
      if (rest.length < end) return
      const frame = rest.subarray(4, end)
      const mask = rest.subarray(2, 6)
      const payload = frame.subarray(2).map((byte, i) => byte ^ (mask[i % 4] ?? 0))
      socket.write(Buffer.concat([Buffer.from([rest.readUInt8(0), payload.length]), payload]))
      rest = rest.subarray(end)
    }
  })
}
