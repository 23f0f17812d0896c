/**
 * An upstream that takes whole bodies and answers each: `node test/bench/sink.ts PORT`. Nginx by itself would answer
 * before the body is there. `GET /count` tells how many bytes of bodies have come so far.
 */
import { createServer, type Socket } from 'node:net'

const answer = response(200, '{"message":"hello from the backend server, 57 bytes...!"}')
let received = 0

createServer({ noDelay: true }, serve).listen(Number(process.argv[2]), '127.0.0.1', 1024)

function serve(socket: Socket): void {
  let head: Buffer = Buffer.alloc(0)
  let bodyLeft = 0
  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => {
    let rest = chunk
    while (rest.length > 0) {
      if (bodyLeft > 0) {
        const taken = Math.min(bodyLeft, rest.length)
        received += taken
        bodyLeft -= taken
        rest = rest.subarray(taken)
      } else {
        head = Buffer.concat([head, rest])
        const end = head.indexOf('\r\n\r\n')
        if (end === -1) return
        const text = head.toString('latin1', 0, end)
        rest = head.subarray(end + 4)
        head = Buffer.alloc(0)
        bodyLeft = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? 0)
        // Whoever turns a body of known length into chunks is measured for something else.
        if (/\r\ntransfer-encoding:/i.test(text)) return void socket.end(response(411, 'a length is required'))
        if (text.startsWith('GET /count ')) {
          socket.write(response(200, String(received)))
          continue
        }
      }
      if (bodyLeft === 0) socket.write(answer)
    }
  })
}

function response(status: number, body: string): string {
  return `HTTP/1.1 ${status} \r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}
