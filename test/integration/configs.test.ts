import { generateKeyPairSync, sign } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { testGateway } from '@gateway/testing'
import { describe, expect, test, vi } from 'vitest'
import { startNameServer } from '../../plugins/discovery/test/dns-server.ts'
import { slice, startFakeCluster } from '../../plugins/discovery/test/fake-cluster.ts'
import { instance, startFakeConsul } from '../../plugins/discovery/test/fake-consul.ts'
import { startUpstream } from '../support/upstream.ts'

const folder = new URL('../../configs/examples/', import.meta.url)
const all = readdirSync(folder).filter(file => file.endsWith('.ts'))

type Init = RequestInit & { readonly from?: string }
type Case = readonly [request: string, init: Init, expected: string | RegExp]

/** Every example config, and what it says of requests: status, then what the upstream or the gateway answered. */
const said: Readonly<Record<string, readonly Case[]>> = {
  'access.ts': [
    ['POST /api/a', { headers: { 'content-type': 'application/json' }, body: '{}' }, '200 POST /api/a nosniff'],
    ['POST /api/a', { body: 'text' }, /^415 .*ACCESS_CONTENT_TYPE_REFUSED/],
    ['GET /api/a', { from: '192.0.2.7' }, /^403 .*ACCESS_ADDRESS_REFUSED/],
    ['GET /admin/a', {}, /^403 .*ACCESS_ADDRESS_REFUSED/],
    ['GET /admin/a', { from: '10.0.0.7' }, '200 GET /admin/a nosniff'],
    ['GET /admin/a', { from: '10.0.0.7', headers: { 'x-forwarded-for': '8.8.8.8' } }, /^403/],
  ],
  'api-keys.ts': [
    ['GET /items/1', {}, /^401 .*AUTH_REQUIRED/],
    ['GET /items/1', { headers: { 'x-api-key': 'example-key' } }, /^200 GET \/items\/1/],
    ['GET /items/1', { headers: { 'x-api-key': 'another-key' } }, /^401 .*AUTH_INVALID/],
    ['POST /items', { headers: { 'x-api-key': 'example-key' } }, /^403 .*AUTH_FORBIDDEN/],
  ],
  'cache.ts': [
    ['GET /prices?currency=eur&a=1', {}, '200 GET /prices?currency=eur&a=1 fwd=uri-miss; stored'],
    ['GET /prices?a=2&currency=eur', {}, '200 GET /prices?currency=eur&a=1 hit; ttl=10'],
    ['GET /prices?currency=usd', {}, '200 GET /prices?currency=usd fwd=uri-miss; stored'],
    ['GET /items/1', {}, '200 GET /items/1 fwd=uri-miss'],
    ['POST /items/1', {}, '200 POST /items/1 fwd=method'],
  ],
  'canary.ts': [
    ['GET /shop/a', { headers: { 'x-version': 'canary' } }, '200 from canary'],
    ['GET /shop/a', { headers: { 'x-version': 'stable' } }, '200 GET /shop/a'],
    ['GET /shop/a', { headers: { cookie: 'GATEWAY_PLACE=499' } }, '200 from canary'],
    ['GET /shop/a', { headers: { cookie: 'GATEWAY_PLACE=500' } }, '200 GET /shop/a'],
  ],
  'circuit-breaker.ts': [
    ['GET /orders/1', {}, '200 GET /orders/1'],
    ...Array.from({ length: 2 }, () => ['GET /report', {}, '500 broken'] as const),
    ['GET /report', {}, '200 {"report":null}\n'],
  ],
  'compression.ts': [
    ['GET /pages/1', { headers: { 'accept-encoding': 'gzip' } }, '200 GET /pages/1 gzip fwd=uri-miss; stored'],
    ['GET /pages/1', { headers: { 'accept-encoding': 'br, zstd' } }, '200 GET /pages/1 zstd hit; ttl=60'],
    ['GET /pages/1', {}, '200 GET /pages/1 hit; ttl=60'],
    ['GET /account/1', { headers: { 'accept-encoding': 'gzip' } }, '200 GET /account/1'],
  ],
  'concurrency.ts': [
    ['GET /shop/tea', {}, '200 GET /shop/tea'],
    ['GET /exports/1', { headers: { 'x-tenant': 'a' } }, '200 GET /exports/1'],
    ['POST /payments', {}, '200 POST /payments'],
  ],
  'cors.ts': [
    ['GET /api/a', { headers: { origin: 'https://app.example.com' } }, '200 GET /api/a https://app.example.com'],
    ['GET /api/a', { headers: { origin: 'https://evil.test' } }, '200 GET /api/a'],
    ['GET /fonts/a', { headers: { origin: 'https://evil.test' } }, '200 GET /fonts/a *'],
    ['GET /admin/a', { headers: { origin: 'https://app.example.com' } }, '200 GET /admin/a'],
  ],
  'discovery-consul.ts': [
    ['GET /orders/7', {}, '200 GET /orders/7'],
    ['GET /users/7', {}, '200 GET /users/7'],
  ],
  'discovery-dns.ts': [
    ['GET /orders/7', {}, '200 GET /orders/7'],
    ['GET /users/7', {}, '200 GET /users/7'],
  ],
  // What containers there are is this machine's affair: plugins/discovery tries them.
  'discovery-docker.ts': [['GET /health', {}, '200 ok\n']],
  'discovery-kubernetes.ts': [
    ['GET /orders/7', {}, '200 GET /orders/7'],
    ['GET /web/7', {}, '200 GET /web/7'],
  ],
  'event-streams.ts': [
    ['GET /me/events', { headers: { cookie: 'a=b' } }, '200 retry: 1\nid: 1\ndata: to a=b\n\n'],
    ['GET /ticker', { headers: { cookie: 'a=b' } }, '200 retry: 1\nid: 1\ndata: to all\n\n'],
  ],
  'health.ts': [
    ['GET /api/a', {}, '200 GET /api/a'],
    ['GET /carts/7', {}, '200 GET /carts/7'],
    ['GET /ready', {}, '200 {"ready":true}\n'],
    ['GET /live', {}, '200 {"status":"ok"}\n'],
  ],
  'jwt.ts': [
    ['GET /orders', {}, /^401 .*AUTH_REQUIRED/],
    ['GET /orders', { headers: { authorization: 'Bearer of.no.use' } }, /^401 .*AUTH_INVALID/],
    ['GET /orders', { headers: { authorization: 'Bearer TOKEN', 'x-user-id': 'root' } }, '200 GET /orders ada'],
    ['POST /orders', { headers: { authorization: 'Bearer TOKEN' } }, /^403 .*AUTH_FORBIDDEN/],
    ['GET /health', {}, '200 ok\n'],
  ],
  'mirror.ts': [
    ['GET /shop/a', {}, '200 GET /shop/a'],
    ['POST /shop/a', { body: 'b' }, '200 POST /shop/a'],
  ],
  'rate-limit.ts': [
    ...Array.from({ length: 5 }, () => ['POST /login', {}, /^200/] as const),
    ['POST /login', {}, /^429 .*RATE_LIMIT_EXCEEDED/],
    ['POST /login', { from: '10.0.0.7' }, /^200/],
    ['GET /api/a', {}, /^200 GET \/api\/a/],
    ['POST /reports', {}, /^200 POST \/reports/],
    ['GET /health', {}, '200 ok\n'],
  ],
  'retry.ts': [
    ['GET /shop/a', {}, '200 GET /shop/a'],
    ['GET /search?q=tea', {}, '200 GET /search?q=tea'],
    ['POST /orders', { headers: { 'idempotency-key': '7' }, body: '1 cup' }, '200 POST /orders'],
    ['POST /orders', { body: '1 cup' }, /^404 .*GATEWAY_ROUTE_NOT_FOUND/],
  ],
  'transform.ts': [
    ['GET /v2/users/7?debug=1&a=b', {}, '200 {"path":"GET /api/user/7?a=b","name":"Ada"}'],
    [
      'POST /v2/users',
      { headers: { 'content-type': 'application/json' }, body: '{"name":"Ada"}' },
      /"user_name":"Ada"/,
    ],
  ],
  // What they are for takes a connection: examples/websocket-chat.
  'websockets.ts': [
    ['GET /live', {}, '200 GET /live'],
    ['GET /chat/tea', {}, /^400 .*WEBSOCKET_REQUIRED/],
  ],
}

test('each of them is tried', () => {
  expect(Object.keys(said)).toEqual(all)
})

/** Answers with what it was asked, and with what the examples are about. */
async function echo(request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  const path = `${request.method} ${pathname}${search}`
  if (pathname === '/report') return new Response('broken', { status: 500 })
  if (request.headers.get('last-event-id') === '1') return new Response(null, { status: 204 })
  if (['/me/events', '/ticker'].includes(pathname)) {
    const event = `retry: 1\nid: 1\ndata: to ${request.headers.get('cookie') ?? 'all'}\n\n`
    return new Response(event, { headers: { 'content-type': 'text/event-stream' } })
  }
  if (pathname.startsWith('/api/user')) {
    const body = await request.text()
    return Response.json(body === '' ? { path, user_name: 'Ada', password: 's3cret' } : JSON.parse(body))
  }
  return new Response([path, request.headers.get('x-user-id') ?? []].flat().join(' '))
}

describe.each(Object.entries(said))('%s', (file, cases) => {
  test('does what it says', async () => {
    const token = file === 'jwt.ts' ? await startIssuer() : ''
    if (file === 'discovery-consul.ts') await startConsul()
    if (file === 'discovery-dns.ts') await startZone()
    if (file === 'discovery-kubernetes.ts') await startCluster()
    const { default: config } = (await import(new URL(file, folder).href)) as { default: never }
    const { services = {} } = config as { services?: Record<string, unknown> }
    const others = ['canary', 'next']
    const upstreams = Object.fromEntries(
      Object.keys(services).map(name => [name, others.includes(name) ? () => new Response(`from ${name}`) : echo]),
    )
    await using gateway = await testGateway(config, { upstreams, startAt: new Date() })
    for (const [request, init, expected] of cases) {
      const [method = '', path = ''] = request.split(' ')
      const headers = new Headers(init.headers)
      headers.set('authorization', (headers.get('authorization') ?? '').replace('TOKEN', token))
      if (headers.get('authorization') === '') headers.delete('authorization')
      const response = await gateway.fetch(path, { ...init, method, headers })
      const marks = ['x-content-type-options', 'access-control-allow-origin', 'content-encoding'].flatMap(
        name => response.headers.get(name) ?? [],
      )
      marks.push(...(response.headers.get('cache-status')?.match(/(?<=^gateway; ).*/) ?? []))
      const body = textOf(response)
      // The upstream's `retry` is over, and the stream asked for again.
      if (file === 'event-streams.ts') await gateway.clock.advance('2ms')
      const answer = [response.status, await body, ...marks].join(' ')
      if (typeof expected === 'string') expect(answer, request).toBe(expected)
      else expect(answer, request).toMatch(expected)
    }
  })
})

async function startConsul(): Promise<void> {
  const consul = await startFakeConsul()
  consul.instances = [instance('10.0.0.1', 3000)]
  vi.stubEnv('CONSUL', consul.origin)
  vi.stubEnv('CONSUL_TOKEN', 'example')
}

async function startCluster(): Promise<void> {
  const cluster = await startFakeCluster()
  const labels = { 'kubernetes.io/service-name': 'orders', team: 'web' }
  cluster.putSilently(slice('orders-1', ['10.0.0.1'], { metadata: { name: 'orders-1', labels } }))
  vi.stubEnv('KUBECONFIG', cluster.kubeconfig)
}

async function startZone(): Promise<void> {
  const { server } = await startNameServer({
    'orders.internal': { A: ['10.0.0.1', '10.0.0.2'] },
    '_http._tcp.users.internal': { SRV: ['0 1 3000 users-1.internal'] },
    'users-1.internal': { A: ['10.0.0.3'] },
  })
  vi.stubEnv('NAME_SERVER', server)
}

/** Its body, decoded. */
async function textOf(response: Response): Promise<string> {
  const body = await response.bytes()
  const coding = response.headers.get('content-encoding')
  return Buffer.from(
    coding === 'gzip' ? gunzipSync(body) : coding === 'zstd' ? zstdDecompressSync(body) : body,
  ).toString()
}

/** An identity provider of one key, and a token of its. */
async function startIssuer(): Promise<string> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const keys = [{ ...publicKey.export({ format: 'jwk' }), kid: '1', alg: 'RS256', use: 'sig' }]
  const { origin } = await startUpstream((_request, response) => void response.end(JSON.stringify({ keys })))
  vi.stubEnv('ISSUER', `${origin}/`)
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: `${origin}/`, aud: 'api', sub: 'ada', scope: 'orders:read', exp: now + 600 }
  const signed = `${part({ alg: 'RS256', kid: '1' })}.${part(claims)}`
  return `${signed}.${sign('RSA-SHA256', Buffer.from(signed), privateKey).toString('base64url')}`
}
