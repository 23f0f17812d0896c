import { generateKeyPairSync, sign } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join, parse } from 'node:path'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { Duration } from '@gateway/core'
import { hang, testGateway, type Upstream } from '@gateway/testing'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startNameServer } from '../../plugins/discovery/test/dns-server.ts'
import { slice, startFakeCluster } from '../../plugins/discovery/test/fake-cluster.ts'
import { instance, startFakeConsul } from '../../plugins/discovery/test/fake-consul.ts'
import { container, startFakeEngine } from '../../plugins/discovery/test/fake-engine.ts'
import { startUpstream } from '../support/upstream.ts'
import { loadFile } from './yaml/load-yaml.ts'

const folder = join(import.meta.dirname, '../../configs/examples')
const files = readdirSync(folder)

interface Init extends RequestInit {
  readonly from?: string
  /** Default 1; what is answered is counted. */
  readonly times?: number
  /** Time that passes before an answer is waited for. */
  readonly after?: Duration
  /** With the cookies that were set before. */
  readonly cookies?: true
}
type Case = readonly [request: string, init: Init, expected: string | RegExp]

/** The `retry` of an event stream. */
const after = '2ms'

/**
 * Every example, and what it says of requests, be it written in TypeScript or in YAML: status, then what the upstream or
 * the gateway answered. What only one of them can say stands under the file's name, and is asked after the rest.
 */
const said: Readonly<Record<string, readonly Case[]>> = {
  access: [
    ['POST /api/a', { headers: { 'content-type': 'application/json' }, body: '{}' }, '200 POST /api/a nosniff'],
    ['POST /api/a', { body: 'text' }, /^415 .*ACCESS_CONTENT_TYPE_REFUSED/],
    ['GET /api/a', { from: '192.0.2.7' }, /^403 .*ACCESS_ADDRESS_REFUSED/],
    ['GET /admin/a', {}, /^403 .*ACCESS_ADDRESS_REFUSED/],
    ['GET /admin/a', { from: '10.0.0.7' }, '200 GET /admin/a nosniff'],
    ['GET /admin/a', { from: '10.0.0.7', headers: { 'x-forwarded-for': '8.8.8.8' } }, /^403/],
  ],
  'api-keys': [
    ['GET /items/1', {}, /^401 .*AUTH_REQUIRED/],
    ['GET /items/1', { headers: { 'x-api-key': 'example-key' } }, /^200 GET \/items\/1/],
    ['GET /items/1', { headers: { 'x-api-key': 'another-key' } }, /^401 .*AUTH_INVALID/],
    ['POST /items', { headers: { 'x-api-key': 'example-key' } }, /^403 .*AUTH_FORBIDDEN/],
  ],
  cache: [
    ['GET /prices?currency=eur&a=1', {}, '200 GET /prices?currency=eur&a=1 fwd=uri-miss; stored'],
    ['GET /prices?a=2&currency=eur', {}, '200 GET /prices?currency=eur&a=1 hit; ttl=10'],
    ['GET /prices?currency=usd', {}, '200 GET /prices?currency=usd fwd=uri-miss; stored'],
    ['GET /items/1', {}, '200 GET /items/1 fwd=uri-miss'],
    ['POST /items/1', {}, '200 POST /items/1 fwd=method'],
  ],
  canary: [
    ['GET /shop/a', { headers: { 'x-version': 'canary' } }, '200 from canary'],
    ['GET /shop/a', { headers: { 'x-version': 'stable' } }, '200 GET /shop/a'],
    ['GET /shop/a', { headers: { cookie: 'GATEWAY_PLACE=499' } }, '200 from canary'],
    ['GET /shop/a', { headers: { cookie: 'GATEWAY_PLACE=500' } }, '200 GET /shop/a'],
  ],
  'circuit-breaker': [
    ['GET /orders/1', {}, '200 GET /orders/1'],
    ...Array.from({ length: 2 }, () => ['GET /report', {}, '500 broken'] as const),
  ],
  'circuit-breaker.ts': [['GET /report', {}, '200 {"report":null}\n']],
  'circuit-breaker.yaml': [['GET /report', {}, /^503 .*CIRCUIT_OPEN/]],
  compression: [
    ['GET /pages/1', { headers: { 'accept-encoding': 'gzip' } }, '200 GET /pages/1 gzip fwd=uri-miss; stored'],
    ['GET /pages/1', { headers: { 'accept-encoding': 'br, zstd' } }, '200 GET /pages/1 zstd hit; ttl=60'],
    ['GET /pages/1', {}, '200 GET /pages/1 hit; ttl=60'],
    ['GET /account/1', { headers: { 'accept-encoding': 'gzip' } }, '200 GET /account/1'],
  ],
  concurrency: [
    ['GET /shop/tea', {}, '200 GET /shop/tea'],
    ['GET /exports/1', { headers: { 'x-tenant': 'a' } }, '200 GET /exports/1'],
    ['POST /payments', {}, '200 POST /payments'],
  ],
  'consistent-hash': [
    ['GET /thumbnails/a', { times: 5, headers: { 'x-session-id': 'ada' } }, '5 × 200 3001 GET /thumbnails/a'],
    ['GET /thumbnails/a', { times: 5, headers: { cookie: 'session=kim' } }, '5 × 200 3002 GET /thumbnails/a'],
    ['GET /thumbnails/a', { times: 5, from: '10.0.0.1' }, '5 × 200 3003 GET /thumbnails/a'],
  ],
  cors: [
    ['GET /api/a', { headers: { origin: 'https://app.example.com' } }, '200 GET /api/a https://app.example.com'],
    ['GET /api/a', { headers: { origin: 'https://evil.test' } }, '200 GET /api/a'],
    ['GET /fonts/a', { headers: { origin: 'https://evil.test' } }, '200 GET /fonts/a *'],
    ['GET /admin/a', { headers: { origin: 'https://app.example.com' } }, '200 GET /admin/a'],
  ],
  'discovery-consul': [
    ['GET /orders/7', {}, '200 GET /orders/7'],
    ['GET /users/7', {}, '200 GET /users/7'],
  ],
  'discovery-dns': [
    ['GET /orders/7', {}, '200 GET /orders/7'],
    ['GET /users/7', {}, '200 GET /users/7'],
  ],
  'discovery-docker': [['GET /orders/7', {}, '200 GET /orders/7']],
  'discovery-docker.ts': [
    ['GET /web/7', {}, '200 GET /web/7'],
    ['GET /health', {}, '200 ok\n'],
  ],
  'discovery-kubernetes': [['GET /orders/7', {}, '200 GET /orders/7']],
  'discovery-kubernetes.ts': [['GET /web/7', {}, '200 GET /web/7']],
  'event-streams': [
    ['GET /me/events', { headers: { cookie: 'a=b' }, after }, '200 retry: 1\nid: 1\ndata: to a=b\n\n'],
    ['GET /ticker', { headers: { cookie: 'a=b' }, after }, '200 retry: 1\nid: 1\ndata: to all\n\n'],
  ],
  health: [
    ['GET /api/a', {}, '200 GET /api/a'],
    ['GET /carts/7', {}, '200 GET /carts/7'],
    ['GET /ready', {}, '200 {"ready":true}\n'],
    ['GET /live', {}, '200 {"status":"ok"}\n'],
  ],
  'jwt.ts': [
    ['GET /orders', { headers: { authorization: 'Bearer TOKEN', 'x-user-id': 'root' } }, '200 GET /orders ada'],
  ],
  jwt: [
    ['GET /orders', {}, /^401 .*AUTH_REQUIRED/],
    ['GET /orders', { headers: { authorization: 'Bearer of.no.use' } }, /^401 .*AUTH_INVALID/],
    ['GET /orders', { headers: { authorization: 'Bearer TOKEN' } }, /^200 GET \/orders/],
    ['POST /orders', { headers: { authorization: 'Bearer TOKEN' } }, /^403 .*AUTH_FORBIDDEN/],
    ['GET /health', {}, '200 GET /health'],
  ],
  'load-balancing': [
    ['GET /a', { times: 8 }, '6 × 200 3001 GET /a, 2 × 200 3002 GET /a'],
    ['GET /images/a', { times: 8 }, /^(\d × 200 300[12] GET \/images\/a(, )?){1,2}$/],
    ['GET /orders/a', { times: 8 }, /^(\d × 200 300[12] GET \/orders\/a(, )?){1,2}$/],
    ['GET /search', { times: 8 }, /^(\d × 200 300[12] GET \/search(, )?){1,2}$/],
  ],
  mirror: [
    ['GET /shop/a', {}, '200 GET /shop/a'],
    ['POST /shop/a', { body: 'b' }, '200 POST /shop/a'],
  ],
  oauth2: [
    ['GET /orders', {}, /^401 .*AUTH_REQUIRED/],
    ['GET /orders', { headers: { authorization: 'Bearer TOKEN' } }, '200 GET /orders'],
    ['GET /orders', { headers: { cookie: 'access_token=TOKEN' } }, '200 GET /orders'],
    ['POST /orders', { headers: { authorization: 'Bearer TOKEN' } }, /^403 .*AUTH_FORBIDDEN/],
    ['GET /about', {}, '200 GET /about'],
  ],
  'rate-limit': [
    ...Array.from({ length: 5 }, () => ['POST /login', {}, /^200/] as const),
    ['POST /login', {}, /^429 .*RATE_LIMIT_EXCEEDED/],
    ['POST /login', { from: '10.0.0.7' }, /^200/],
    ['GET /api/a', {}, /^200 GET \/api\/a/],
    ['GET /health', {}, '200 GET /health'],
  ],
  'rate-limit.ts': [['POST /reports', {}, /^200 POST \/reports/]],
  rbac: [
    ['GET /items/7', {}, /^401 .*AUTH_REQUIRED/],
    ['GET /items/7', { headers: { 'x-api-key': 'bob-example-key' } }, '200 GET /items/7'],
    ['PUT /items/7', { headers: { 'x-api-key': 'bob-example-key' } }, /^403 .*AUTH_FORBIDDEN/],
    ['GET /items/7', { headers: { 'x-api-key': 'ada-example-key' } }, '200 GET /items/7'],
    ['PUT /items/7', { headers: { 'x-api-key': 'ada-example-key' } }, '200 PUT /items/7'],
    ['DELETE /items/7', { headers: { 'x-api-key': 'ada-example-key' } }, /^403 .*AUTH_FORBIDDEN/],
    ['DELETE /orders/7', { headers: { 'x-api-key': 'ada-example-key' } }, '200 DELETE /orders/7'],
    ['GET /about', {}, '200 GET /about'],
  ],
  'request-limits': [
    ['POST /forms/a', { body: 'x'.repeat(2 ** 20) }, '200 POST /forms/a'],
    ['POST /forms/a', { body: 'x'.repeat(2 ** 20 + 1) }, /^413 /],
    ['GET /slow', { after: '1s' }, /^408 /],
  ],
  retry: [
    ['GET /shop/a', {}, '200 GET /shop/a'],
    ['GET /search?q=tea', {}, '200 GET /search?q=tea'],
    ['GET /shop/flaky', { after: '1s' }, '200 GET /shop/flaky'],
    ['POST /shop/flaky', { after: '1s' }, '503 try again'],
  ],
  'retry.ts': [
    ['POST /orders', { headers: { 'idempotency-key': '7' }, body: '1 cup' }, '200 POST /orders'],
    ['POST /orders', { body: '1 cup' }, /^404 .*GATEWAY_ROUTE_NOT_FOUND/],
  ],
  routing: [
    ['GET /api/users', {}, '200 3001 GET /api/users'],
    ['POST /api/users/7?a=b', {}, '200 3001 POST /api/users/7?a=b'],
    ['DELETE /api/users/7', {}, /^405 .*GATEWAY_METHOD_NOT_ALLOWED/],
    ['GET /api/users/7/report', {}, '200 3002 GET /api/users/7/report'],
    ['PUT /v1/reports/7', {}, '200 3002 PUT /reports/7'],
    ['GET /', {}, '200 3003 GET /'],
  ],
  'session-affinity': [
    ['GET /site/a', { cookies: true, times: 6 }, /^6 × 200 300\d GET \/site\/a$/],
    ['GET /app/a', { times: 6, headers: { 'x-cart': '7' } }, '6 × 200 3001 GET /app/a'],
    ['GET /download/a?cart=7', { times: 6 }, '6 × 200 3001 GET /download/a?cart=7'],
    [
      'GET /images/a',
      { times: 3 },
      '1 × 200 3001 GET /images/a, 1 × 200 3002 GET /images/a, 1 × 200 3003 GET /images/a',
    ],
  ],
  sse: [
    ['GET /news', {}, '200 GET /news'],
    ['POST /news', {}, '200 POST /news'],
    ['GET /news', { headers: { accept: 'text/event-stream' }, after: '10s' }, '200 retry: 1\nid: 1\ndata: to all\n\n'],
  ],
  transform: [
    ['GET /v2/user/7?a=b', {}, '200 {"path":"GET /user/7?a=b","name":"Ada"}'],
    [
      'POST /v2/user',
      { headers: { 'content-type': 'application/json' }, body: '{"name":"Ada"}' },
      '200 {"user_name":"Ada"}',
    ],
  ],
  'transform.ts': [['GET /v2/user/7?debug=1&a=b', {}, /"GET \/user\/7\?a=b"/]],
  // What they are for takes a connection: examples/websocket-chat.
  websockets: [
    ['GET /live', {}, '200 GET /live'],
    ['GET /chat/tea', {}, /^400 .*WEBSOCKET_REQUIRED/],
  ],
}

/** Those of which connections are the point: configs-wire.test.ts. */
const elsewhere = ['mtls', 'tls', 'websocket-port']

test('each of them is tried', () => {
  const names = new Set([...Object.keys(said), ...elsewhere].map(name => parse(name).name))
  expect([...names].toSorted()).toEqual([...new Set(files.map(file => parse(file).name))].toSorted())
})

/** Requests for /shop/flaky so far. */
let flaky = 0

/** Answers with what it was asked, and with what the examples are about. */
async function echo(request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  const path = `${request.method} ${pathname}${search}`
  if (pathname === '/report') return new Response('broken', { status: 500 })
  if (pathname === '/slow') return hang()
  // Every second time.
  if (pathname === '/shop/flaky' && ++flaky % 2 === 1) return new Response('try again', { status: 503 })
  if (request.headers.get('last-event-id') === '1') return new Response(null, { status: 204 })
  if (['/me/events', '/ticker'].includes(pathname) || request.headers.get('accept') === 'text/event-stream') {
    const event = `retry: 1\nid: 1\ndata: to ${request.headers.get('cookie') ?? 'all'}\n\n`
    return new Response(event, { headers: { 'content-type': 'text/event-stream' } })
  }
  if (/^\/user(\/|$)/.test(pathname)) {
    const body = await request.text()
    return Response.json(body === '' ? { path, user_name: 'Ada', password: 's3cret' } : JSON.parse(body))
  }
  return new Response([path, request.headers.get('x-user-id') ?? []].flat().join(' '))
}

/** Answers with its port as well. */
async function tellTarget(request: Request): Promise<Response> {
  const answer = await echo(request)
  return new Response(`${new URL(request.url).port} ${await answer.text()}`, answer)
}

const tellingTargets = ['consistent-hash', 'load-balancing', 'routing', 'session-affinity']

function upstreamOf(service: string, example: string): Upstream {
  if (['canary', 'next'].includes(service)) return () => new Response(`from ${service}`)
  return tellingTargets.includes(example) ? tellTarget : echo
}

beforeEach(() => {
  flaky = 0
})
afterEach(() => void vi.unstubAllEnvs())

const tried = files.flatMap(file => {
  const { name } = parse(file)
  const cases = [...(said[name] ?? []), ...(said[file] ?? [])]
  return cases.length === 0 ? [] : [{ file, name, cases }]
})

test.each(tried)('$file does what it says', async ({ file, name, cases }) => {
  vi.stubEnv('GATEWAY_STICKY_KEY', 'a key of thirty-two characters, or so')
  const token = ['jwt', 'oauth2'].includes(name) ? await startIssuer() : ''
  if (name === 'discovery-consul') await startConsul()
  if (name === 'discovery-dns') await startZone()
  if (name === 'discovery-docker') await startEngine()
  if (name === 'discovery-kubernetes') await startCluster()
  const config = await loadFile(join(folder, file))
  const { services } = config as { services: Record<string, unknown> }
  const upstreams = Object.fromEntries(Object.keys(services).map(service => [service, upstreamOf(service, name)]))
  await using gateway = await testGateway(config, { upstreams, startAt: new Date() })
  let cookie = ''

  async function ask(request: string, { times: _, after, cookies, ...init }: Init): Promise<string> {
    const [method = '', path = ''] = request.split(' ')
    const headers = new Headers(init.headers)
    for (const [field, value] of headers) headers.set(field, value.replace('TOKEN', token))
    if (cookies) headers.set('cookie', cookie)
    const asked = gateway.fetch(path, { ...init, method, headers })
    if (after !== undefined) await gateway.clock.advance(after)
    const response = await asked
    cookie = response.headers.getSetCookie()[0]?.split(';', 1)[0] ?? cookie
    const marks = ['x-content-type-options', 'access-control-allow-origin', 'content-encoding'].flatMap(
      name => response.headers.get(name) ?? [],
    )
    marks.push(...(response.headers.get('cache-status')?.match(/(?<=^gateway; ).*/) ?? []))
    return [response.status, await textOf(response), ...marks].join(' ')
  }

  for (const [request, init, expected] of cases) {
    const answers: string[] = []
    for (let left = init.times ?? 1; left > 0; left--) answers.push(await ask(request, init))
    const answer = init.times === undefined ? answers.join() : tally(answers)
    if (typeof expected === 'string') expect(answer, request).toBe(expected)
    else expect(answer, request).toMatch(expected)
  }
})

async function startConsul(): Promise<void> {
  const consul = await startFakeConsul()
  consul.instances = [instance('10.0.0.1', 3000)]
  vi.stubEnv('CONSUL', consul.origin)
  vi.stubEnv('CONSUL_TOKEN', 'example')
}

async function startEngine(): Promise<void> {
  const engine = await startFakeEngine()
  const project = { 'com.docker.compose.project': 'shop', 'com.docker.compose.service': 'web' }
  engine.containers = [
    container('orders', { 'gateway.service': 'orders', 'gateway.port': '3000' }),
    container('web', { ...project, 'gateway.port': '3001', 'gateway.route.match': 'ANY /web/*' }),
  ]
  vi.stubEnv('DOCKER_HOST', engine.host)
}

async function startCluster(): Promise<void> {
  const cluster = await startFakeCluster()
  const labels = { 'kubernetes.io/service-name': 'orders', team: 'web' }
  cluster.putSilently(slice('orders-1', ['10.0.0.1'], { metadata: { name: 'orders-1', labels } }))
  vi.stubEnv('KUBECONFIG', cluster.kubeconfig)
}

/** `3 × this, 1 × that` */
function tally(answers: readonly string[]): string {
  const counts = Map.groupBy(answers.toSorted(), answer => answer)
  return [...counts].map(([answer, { length }]) => `${length} × ${answer}`).join(', ')
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
  const { origin } = await startUpstream((request, response) => {
    const metadata = { issuer: `${origin}/`, jwks_uri: `${origin}/.well-known/jwks.json` }
    response.end(JSON.stringify(request.url?.endsWith('openid-configuration') ? metadata : { keys }))
  })
  vi.stubEnv('ISSUER', `${origin}/`)
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: `${origin}/`, aud: 'api', sub: 'ada', scope: 'openid orders:read', exp: now + 600 }
  const signed = `${part({ alg: 'RS256', kid: '1' })}.${part(claims)}`
  return `${signed}.${sign('RSA-SHA256', Buffer.from(signed), privateKey).toString('base64url')}`
}
