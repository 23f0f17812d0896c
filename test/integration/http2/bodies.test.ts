import { createHash, randomBytes } from 'node:crypto'
import type { ClientHttp2Stream } from 'node:http2'
import { describe, expect, test } from 'vitest'
import { ask } from '../../../core/src/http2/server.fixture.ts'
import { startUpstream } from '../../support/upstream.ts'
import { http2Upstream, openSession, proxyTo, startHttp2Gateway } from './gateway.ts'

const hash = (bytes: Uint8Array) => createHash('sha1').update(bytes).digest('hex')
const piece = randomBytes(65_536)

/** Sends `count` pieces as they are taken. */
function upload(stream: ClientHttp2Stream, count: number): void {
  let sent = 0
  const push = () => {
    while (sent < count) {
      sent++
      if (!stream.write(piece)) return
    }
    stream.end()
  }
  stream.on('drain', push)
  push()
}

/** Reads to the end; the hash of what came. A slow one stops a while after each piece. */
async function read(stream: ClientHttp2Stream, slow: boolean): Promise<string> {
  const sum = createHash('sha1')
  for await (const chunk of stream) {
    sum.update(chunk)
    if (slow) await new Promise(resolve => setTimeout(resolve, 2))
  }
  expect(stream.rstCode).toBe(0)
  return sum.digest('hex')
}

const upstreams = {
  http1: async () => (await startUpstream((request, response) => void request.pipe(response))).origin,
  http2: () =>
    http2Upstream(
      stream => {
        stream.respond()
        stream.pipe(stream)
      },
      { maxSessionMemory: 100 },
    ),
}

describe.each(['http1', 'http2'] as const)('over %s', protocol => {
  test('100 streams at a time carry large bodies both ways, some read slowly, in bounded memory', async () => {
    const count = 32
    const expected = hash(Buffer.concat(Array(count).fill(piece)))
    const { port } = await startHttp2Gateway(proxyTo(await upstreams[protocol](), { service: { protocol } }))
    const session = await openSession(port, { initialWindowSize: 131_072 })
    const before = process.memoryUsage()
    let most = 0
    const sample = setInterval(() => {
      const { rss } = process.memoryUsage()
      most = Math.max(most, rss)
    }, 20)
    const sums = Array.from({ length: 100 }, (_, i) => {
      const stream = session.request({ ':method': 'POST' })
      const sum = read(stream, i % 10 === 0)
      upload(stream, count)
      return sum
    })
    expect(new Set(await Promise.all(sums))).toEqual(new Set([expected]))
    clearInterval(sample)
    // 210 MB went each way, through client, gateway and upstream in this one process: none of them may have held it.
    expect(most - before.rss).toBeLessThan(250e6)
  })

  test('a reader that stops leaves the rest of the connection alone', async () => {
    const { port } = await startHttp2Gateway(proxyTo(await upstreams[protocol](), { service: { protocol } }))
    const session = await openSession(port)
    const stuck = Array.from({ length: 20 }, () => {
      const stream = session.request({ ':method': 'POST' })
      stream.on('error', () => {})
      upload(stream, 1_000)
      stream.pause()
      return stream
    })
    for (let i = 0; i < 50; i++) expect((await ask(session, { ':method': 'POST' }, 'quick')).body).toBe('quick')
    for (const stream of stuck) stream.destroy()
  })
})
