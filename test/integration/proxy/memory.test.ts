import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { type ChildGateway, startChildGateway } from '../../support/child-gateway.ts'
import { proxyTo } from '../../support/gateway.ts'
import { rawUpstream } from '../../support/upstream.ts'
import { connect, requestText, type Wire } from '../../support/wire.ts'

const MB = 1 << 20
/** A body that could not be held; `BODY_MB=1024 npx vitest run test/integration/proxy/memory` for more. */
const total = Number(process.env.BODY_MB ?? 256) * MB
/** What the gateway may grow by: buffers that wait to be collected, never a share of the body. */
const allowance = 128 * MB

const piece = Buffer.alloc(256 << 10, 'x')

/** Writes the body as fast as the other side lets it. */
class Pump {
  sent = 0
  constructor(socket: Socket) {
    const more = () => {
      while (this.sent < total) {
        this.sent += piece.length
        if (!socket.write(piece)) return void socket.once('drain', more)
      }
    }
    more()
  }
}

/** Takes the body in strides, each after everything on the way has come to a standstill, and gives what came. */
async function readSlowly(wire: Wire, pump: () => Pump | undefined, gateway: ChildGateway): Promise<number> {
  const { socket } = wire
  socket.removeAllListeners('data')
  socket.pause()
  // What came with the head.
  let received = wire.received.length
  let stop = 0
  socket.on('data', text => {
    received += text.length
    if (received >= stop) socket.pause()
  })
  for (let stride = 1; received < total; stride++) {
    let still = 0
    for (let last = -1; still < 10; still++) {
      const sent = pump()?.sent ?? 0
      if (sent !== last || sent === 0) still = 0
      last = sent
      await gateway.memory()
    }
    // First while next to nothing has been read: what is neither read nor held back is held by the gateway.
    if (stride === 1) expect(pump()?.sent).toBeLessThan(Math.min(total / 2, 64 * MB))
    stop = received + total / 8
    socket.resume()
    while (received < Math.min(stop, total)) await new Promise(resolve => socket.once('data', resolve))
  }
  return received
}

/** A first small body, so that what the process needs anyway is there before it is measured. */
async function warmUp(gateway: ChildGateway): Promise<void> {
  for (let i = 0; i < 20; i++) {
    const client = await connect(gateway.port)
    client.send(requestText('POST /warm', ['Connection: close'], 'x'.repeat(1000)))
    await client.response()
  }
}

test('a response larger than memory, to a slow reader, leaves the memory of the gateway flat', async () => {
  let pump: Pump | undefined
  const upstream = await rawUpstream(async wire => {
    for (;;) {
      const request = await wire.request()
      if (request.target === '/warm') {
        wire.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        continue
      }
      wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`)
      pump = new Pump(wire.socket)
    }
  })
  const gateway = await startChildGateway(proxyTo(upstream.origin))
  await warmUp(gateway)
  const before = await gateway.memory()
  const client = await connect(gateway.port)
  client.send(requestText('GET /large'))
  await client.through('\r\n\r\n')
  const received = await readSlowly(client, () => pump, gateway)
  const after = await gateway.memory()
  report('down', before.rss, after.peakRss)
  expect(received).toBe(total)
  expect(after.peakRss - before.rss).toBeLessThan(allowance)
})

test('an upload larger than memory, to a slow upstream, leaves the memory of the gateway flat', async () => {
  let pump: Pump | undefined
  let read: Promise<number> | undefined
  let gateway: ChildGateway | undefined
  const upstream = await rawUpstream(async wire => {
    for (;;) {
      const head = (await wire.through('\r\n\r\n')) ?? ''
      if (head.startsWith('POST /warm')) {
        await wire.exactly(1000)
        wire.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        continue
      }
      if (gateway === undefined) return
      read = readSlowly(wire, () => pump, gateway)
      await read
      wire.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone')
      return
    }
  })
  gateway = await startChildGateway(proxyTo(upstream.origin))
  await warmUp(gateway)
  const before = await gateway.memory()
  const client = await connect(gateway.port)
  client.send(requestText('POST /large', [`Content-Length: ${total}`]))
  pump = new Pump(client.socket)
  expect((await client.response()).body).toBe('done')
  const after = await gateway.memory()
  report('up', before.rss, after.peakRss)
  expect(await read).toBe(total)
  expect(after.peakRss - before.rss).toBeLessThan(allowance)
})

function report(way: string, before: number, peak: number): void {
  if (process.env.BODY_MB === undefined) return
  console.log(`${total / MB} MB ${way}: RSS ${Math.round(before / MB)} MB before, ${Math.round(peak / MB)} MB at most`)
}
