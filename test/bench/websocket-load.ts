/**
 * Messages to and fro: `node test/bench/websocket-load.ts URL CONNECTIONS SECONDS`. Each connection sends a message of 100
 * bytes when it has got the one before it back. Prints a line as wrk.lua does, with messages of both directions for
 * requests.
 */
import { connect, type Socket } from 'node:net'

const [target = '', connections, seconds] = process.argv.slice(2)
const { hostname: host, port, pathname } = new URL(target)
const size = 100
const message = Buffer.concat([Buffer.from([0x82, 0x80 | size, 0, 0, 0, 0]), Buffer.alloc(size, 'x')])
/** As it comes back: without a mask. */
const answerSize = 2 + size

const latencies: number[] = []
let bytes = 0
let failed = 0
let over = false

const sockets = await Promise.all(Array.from({ length: Number(connections) }, open))
const began = performance.now()
for (const socket of sockets) play(socket)
await new Promise(resolve => setTimeout(resolve, Number(seconds) * 1_000))
over = true
const micros = Math.round((performance.now() - began) * 1_000)
for (const socket of sockets) socket.destroy()

latencies.sort((a, b) => a - b)
const at = (part: number) => Math.round((latencies[Math.floor((latencies.length - 1) * part)] ?? 0) * 1_000)
const errors = `status=0 connect=0 read=${failed} write=0 timeout=0`
console.log(
  `result requests=${2 * latencies.length} micros=${micros} bytes=${bytes} p50=${at(0.5)} p99=${at(0.99)} ${errors}`,
)

async function open(): Promise<Socket> {
  const socket = connect({ host, port: Number(port), noDelay: true })
  const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n\r\n`)
  let head = ''
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    head += chunk.toString('latin1')
    if (!head.endsWith('\r\n\r\n')) continue
    if (!head.startsWith('HTTP/1.1 101 ')) throw new Error(`it answers ${head}`)
    return socket
  }
  throw new Error('it closes instead of an answer')
}

function play(socket: Socket): void {
  let received = 0
  let sentAt = performance.now()
  socket.write(message)
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    received += chunk.length
    if (received < answerSize || over) return
    received -= answerSize
    const now = performance.now()
    latencies.push(now - sentAt)
    sentAt = now
    socket.write(message)
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    if (!over) failed++
  })
}
