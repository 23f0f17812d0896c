import { generateKeyPairSync, sign } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, parse } from 'node:path'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { hang, testGateway, type Upstream } from '@gateway/testing'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startNameServer } from '../../plugins/discovery/test/dns-server.ts'
import { slice, startFakeCluster } from '../../plugins/discovery/test/fake-cluster.ts'
import { instance, startFakeConsul } from '../../plugins/discovery/test/fake-consul.ts'
import { container, startFakeEngine } from '../../plugins/discovery/test/fake-engine.ts'
import { startUpstream } from '../support/upstream.ts'
import { type Init, said } from './configs-said.ts'
import { loadFile } from './yaml/load-yaml.ts'

const folder = join(import.meta.dirname, '../../configs/examples')
const files = readdirSync(folder)
const names = [...new Set(files.map(file => parse(file).name))].toSorted()

/** Those of which connections are the point: configs-wire.test.ts. */
const elsewhere = ['mtls', 'tls', 'websocket-port']

test('each of them is tried', () => {
  const tried = new Set([...Object.keys(said), ...elsewhere].map(name => parse(name).name))
  expect([...tried].toSorted()).toEqual(names)
})

test('the README has a row for each, with both files and with one', () => {
  const page = readFileSync(join(folder, '../README.md'), 'utf8')
  const [, both = '', one = ''] = page.split('\nIn `examples/`, ')
  const rows = (part: string) =>
    [...part.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, names = '']) => names.match(/[\w-]+/g))
  const hasYaml = Object.groupBy(names, name => String(files.includes(`${name}.yaml`)))
  expect(rows(both).toSorted()).toEqual(hasYaml.true)
  expect(rows(one).toSorted()).toEqual(hasYaml.false)
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
  const lastEvent = request.headers.get('last-event-id')
  if (lastEvent === '2') return new Response(null, { status: 204 })
  if (['/me/events', '/ticker'].includes(pathname) || request.headers.get('accept') === 'text/event-stream') {
    const data =
      lastEvent === null ? `retry: 1\nid: 1\ndata: to ${request.headers.get('cookie') ?? 'all'}` : 'id: 2\ndata: again'
    return new Response(`${data}\n\n`, { headers: { 'content-type': 'text/event-stream' } })
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

const tellingTargets = ['consistent-hash', 'load-balancing', 'routing', 'session-affinity', 'versioning']

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
    const marks = [
      'x-content-type-options',
      'access-control-allow-origin',
      'content-encoding',
      'deprecation',
      'sunset',
    ].flatMap(name => response.headers.get(name) ?? [])
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
