import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RawClient } from './support/client.ts'
import { type Rig, startRig } from './support/rig.ts'

// Found by fuzz/aborts.ts. The kernel tells of a reset once: to whichever call comes first. When that is the write of a
// piece of the request's body, reading ends like after a FIN, and a body that the close should end seemed whole.

let rig: Rig
const upstream = createServer()
let onRequest: (respond: (bytes: string) => void) => void = () => {}

beforeAll(async () => {
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
  rig = await startRig({ services: { backend: { targets: [origin] } } })
  upstream.on('connection', socket => {
    socket.on('error', () => {})
    socket.once('data', () => {
      onRequest(bytes => {
        socket.write(bytes)
        socket.resetAndDestroy()
      })
    })
  })
})
afterAll(async () => {
  await rig.close()
  upstream.close()
})

const post = (framing: string) => `POST / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`

test.each([
  ['of a length', post('Content-Length: 1000')],
  ['in chunks', `${post('Transfer-Encoding: chunked')}ff\r\n`],
])('a reset that the write of a request body %s hears of does not end a response', async (_, head) => {
  for (let round = 0; round < 20; round++) {
    const client = new RawClient(rig.port)
    const { promise: asked, resolve } = Promise.withResolvers<void>()
    onRequest = respond => {
      // The client's piece is there first, so that the gateway writes before it reads.
      client.socket.write('a piece of the body')
      respond('HTTP/1.1 200 OK\r\n\r\nhalf')
      resolve()
    }
    await client.send([head])
    await asked
    expect(await client.all()).not.toMatch(/\r\n0\r\n/)
    await rig.quiet()
  }
})

test('what has come whole before the reset is passed on', async () => {
  for (let round = 0; round < 20; round++) {
    const client = new RawClient(rig.port)
    onRequest = respond => {
      client.socket.write('a piece of the body')
      respond('HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno')
    }
    await client.send([post('Content-Length: 1000000')])
    expect(await client.all()).toMatch(/^HTTP\/1\.1 413 [\s\S]*\r\n\r\nno$/)
    await rig.quiet()
  }
})
