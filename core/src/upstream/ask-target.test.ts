import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { createAuthority } from '../../../test/support/certificates.ts'
import { refusingOrigin, startUpstream } from '../../../test/support/upstream.ts'
import { pool as http2Pool, upstream as http2Upstream } from '../http2/client.fixture.ts'
import { askTarget } from './ask-target.ts'
import { connectOnce } from './connect-once.ts'
import { Pool, type PoolOptions } from './pool.ts'
import { UpstreamTarget } from './target.ts'

function targetAt(origin: string, options: Partial<PoolOptions> = {}): UpstreamTarget {
  const pool = new Pool(origin, options)
  onTestFinished(() => pool.destroy())
  return new UpstreamTarget({ url: origin }, pool)
}

const binary = Uint8Array.of(0, 0xff, 0x80, 0x0a)
const question = { path: '/ask', method: 'POST', headers: { 'X-Probe': '1' }, timeoutMs: 5_000 }

test('over HTTP/1.1: bytes there and back, fields and trailers', async () => {
  const { origin } = await startUpstream((request, response) => {
    response.writeHead(201, { 'X-Length': request.headers['content-length'], Trailer: 'X-Sum' })
    response.addTrailers({ 'X-Sum': String(request.headers['x-probe']) })
    request.pipe(response)
  })
  const { status, headers, body, trailers } = await askTarget(targetAt(origin), { ...question, body: binary })
  expect([status, headers.get('x-length'), trailers?.get('x-sum')]).toEqual([201, '4', '1'])
  expect([...body]).toEqual([...binary])
})

test.each([undefined, new Uint8Array()])('without a body: %o', async body => {
  const { origin } = await startUpstream((request, response) => {
    response.end(`${request.method} ${request.headers['content-length']}`)
  })
  const answer = await askTarget(targetAt(origin), { ...question, ...(body && { body }) })
  expect([answer.body.toString(), answer.trailers]).toEqual(['POST 0', undefined])
})

test('over HTTP/2, likewise', async () => {
  await using server = await http2Upstream(stream => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.pipe(stream)
  })
  await using pool = http2Pool(server.origin)
  const target = new UpstreamTarget({ url: server.origin }, pool)
  const { body, trailers } = await askTarget(target, { ...question, body: binary })
  expect([...body]).toEqual([...binary])
  expect(trailers?.get('grpc-status')).toBe('0')
})

test('to connect tells when the certificate ends, and why it is none to trust', async () => {
  const authority = await createAuthority()
  const certificate = await authority.issue({ names: ['IP:127.0.0.1'], days: 3 })
  const server = createTlsServer(certificate, socket => socket.on('error', () => {}))
  server.listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const trusting = { tls: { ca: authority.cert } }
  const { certificateEnds } = await connectOnce(targetAt(origin, trusting), 5_000)
  expect((Number(certificateEnds) - Date.now()) / 86_400_000).toBeCloseTo(3, 1)
  await expect(connectOnce(targetAt(origin), 5_000)).rejects.toThrow('unable to verify')
})

test('to connect without TLS, to nobody, and to give up', async () => {
  const { origin } = await startUpstream(() => {})
  expect(await connectOnce(targetAt(origin), 5_000)).toEqual({ certificateEnds: undefined })
  await expect(connectOnce(targetAt(await refusingOrigin()), 5_000)).rejects.toThrow('ECONNREFUSED')
  const stop = new AbortController()
  const connecting = connectOnce(targetAt(origin), 5_000, stop.signal)
  stop.abort(new Error('enough'))
  await expect(connecting).rejects.toThrow('enough')
  await expect(connectOnce(targetAt(origin), 5_000, stop.signal)).rejects.toThrow('enough')
})
