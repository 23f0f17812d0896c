import { once } from 'node:events'
import { createServer, get } from 'node:https'
import { describe, expect, test, vi } from 'vitest'
import { createAuthority } from '../../support/certificates.ts'
import { openStream } from '../../support/event-client.ts'
import { startGateway } from '../../support/gateway.ts'
import { listening } from '../../support/listening.ts'
import { startUpstream } from '../../support/upstream.ts'
import { openWebSocket } from '../../support/websocket.ts'
import { ask, textOf } from './ask.ts'
import { startBackend } from './backend.ts'
import { loadYaml, onFreePorts } from './load-yaml.ts'

interface Parts {
  readonly instances: readonly string[]
  readonly rules: readonly string[]
  readonly more?: string
}

/** A gateway by a file of one service "a". */
async function start(
  { instances, rules, more = '' }: Parts,
  files: Readonly<Record<string, string>> = {},
): Promise<readonly number[]> {
  const list = (items: readonly string[], indent: string) => items.map(item => `${indent}- { ${item} }\n`).join('')
  const config = await loadYaml(
    `gateway:
${more}  registry:
    static:
      services:
        - name: a
          instances:
${list(instances, '            ')}  router:
    rules:
${list(rules, '      ')}`,
    files,
  )
  const { gateway } = await startGateway(onFreePorts(config))
  return gateway.addresses.map(({ port }) => port)
}

const at = (port: number, more = '') => `address: 127.0.0.1, port: ${port}${more}`

describe('rules', () => {
  test('paths: a subtree with its root, parameters, {$}, and a prefix that is not sent on', async () => {
    const backend = await startBackend('a')
    const [port = 0] = await start({
      instances: [at(backend)],
      rules: [
        'id: tree, path: /tree/, serviceName: a',
        'id: one, path: "/users/{id}", serviceName: a',
        'id: slash, path: "/slash/{$}", serviceName: a',
        'id: cut, path: /v1/*, serviceName: a, stripPrefix: true',
        'id: named, path: /api/x/*, serviceName: a, stripPrefix: /api',
      ],
    })
    const asked = ['/tree', '/tree/', '/tree/a/b', '/users/7', '/slash/', '/v1/a/b', '/api/x/y']
    const answers = await Promise.all(asked.map(path => textOf(port, `GET ${path}`)))
    expect(answers.map(answer => answer.replace('a GET ', ''))).toEqual([
      '/tree',
      '/tree/',
      '/tree/a/b',
      '/users/7',
      '/slash/',
      '/a/b',
      '/x/y',
    ])
    const refused = ['/users/', '/users/7/x', '/slash', '/slash/x', '/v1']
    const statuses = await Promise.all(refused.map(async path => (await ask(port, `GET ${path}`)).status))
    expect(statuses).toEqual(refused.map(() => 404))
  })

  test('methods: those of a rule, else 405; WEBSOCKET and SSE are GET', async () => {
    const backend = await startBackend('a')
    const [port = 0] = await start({
      instances: [at(backend)],
      rules: ['path: /a, serviceName: a, methods: [post, PUT]', 'path: /b, serviceName: a, methods: [SSE]'],
    })
    expect(await textOf(port, 'POST /a')).toBe('a POST /a')
    const refused = await ask(port, 'DELETE /a')
    expect([refused.status, refused.lines.find(line => /^allow:/i.test(line))]).toEqual([405, 'allow: POST, PUT'])
    const stream = await openStream(port, { accept: 'text/event-stream' }, '/b')
    await stream.until('a')
    stream.leave()
  })

  test('a timeout is 408', async () => {
    const { port: silent } = await startUpstream(() => {})
    const [port = 0] = await start({ instances: [at(silent)], rules: ['path: /a, serviceName: a, timeout: 1'] })
    const { status, body } = await ask(port, 'GET /a')
    expect([status, body]).toEqual([408, expect.stringMatching(/GATEWAY_\w*TIMEOUT/)])
  })
})

describe('instances', () => {
  test('weights weigh, and an instance that is not healthy gets nothing', async () => {
    const [a, b, c] = await Promise.all([startBackend('a'), startBackend('b'), startBackend('c')])
    const [port = 0] = await start({
      instances: [at(a, ', weight: 3'), at(b, ', metadata: { weight: 1 }'), at(c, ', health: unhealthy')],
      rules: ['path: /*, serviceName: a, loadBalance: weighted_round_robin'],
    })
    const answers = await Promise.all(Array.from({ length: 8 }, async () => (await textOf(port, 'GET /')).slice(0, 1)))
    expect(answers.toSorted().join('')).toBe('aaaaaabb')
  })

  test('none that is healthy: 503', async () => {
    const backend = await startBackend('a')
    const [port = 0] = await start({
      instances: [at(backend, ', health: starting')],
      rules: ['path: /*, serviceName: a'],
    })
    expect((await ask(port, 'GET /')).status).toBe(503)
  })

  test('a consistent hash takes a session to the same instance', async () => {
    const backends = await Promise.all(['a', 'b', 'c'].map(startBackend))
    const [port = 0] = await start({
      instances: backends.map(backend => at(backend)),
      rules: ['path: /*, serviceName: a, loadBalance: consistent_hash'],
    })
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, index) => textOf(port, 'GET /', [`X-Session-Id: ${index % 10}`])),
    )
    expect(answers.slice(0, 10)).toEqual(answers.slice(10, 20))
    expect(answers.slice(0, 10)).toEqual(answers.slice(20))
    expect(new Set(answers).size).toBeGreaterThan(1)
  })
})

describe('TLS', () => {
  test('of the listener, with certificates of clients; of an instance, by its own authority', async () => {
    const authority = await createAuthority()
    const { cert, key, certFile, keyFile } = await authority.issue({ names: ['DNS:gateway.test'] })
    const upstream = createServer({ cert, key, ca: authority.cert, requestCert: true }, (request, response) => {
      response.end(`over TLS to ${'authorized' in request.socket && request.socket.authorized}`)
    })
    const upstreamPort = (await listening(upstream)).port
    const tls = `enabled: true, certFile: ${certFile}, keyFile: ${keyFile}, minVersion: "1.3"`
    const suites = 'cipherSuites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]'
    const [port = 0] = await start({
      instances: [at(upstreamPort, ', scheme: https')],
      rules: ['path: /*, serviceName: a'],
      more: `  frontend: { http: { tls: { ${tls}, ${suites}, clientAuth: require, clientCAFile: ${authority.certFile} } } }
  backend: { http: { tls: { enabled: true, caFile: ${authority.certFile}, certFile: ${certFile}, keyFile: ${keyFile}, serverName: gateway.test } } }
`,
    })
    const client = { host: '127.0.0.1', port, servername: 'gateway.test', ca: authority.cert, agent: false }
    const [answer] = await once(get({ ...client, cert, key }), 'response')
    expect(Buffer.concat(await answer.toArray()).toString()).toBe('over TLS to true')
    expect(answer.socket.getProtocol?.() ?? 'TLSv1.3').toBe('TLSv1.3')
    await expect(once(get(client), 'response')).rejects.toThrow()
  })
})

describe('WebSockets and plugins', () => {
  test('without a port of their own, on the rules that say so', async () => {
    const backend = await startBackend('a')
    const [port = 0] = await start({
      instances: [at(backend)],
      rules: ['path: /ws, serviceName: a, protocol: websocket', 'path: /a, serviceName: a'],
    })
    const { wire, response } = await openWebSocket(port, '/ws')
    expect(response.status).toBe(101)
    wire.socket.destroy()
    expect((await openWebSocket(port, '/a')).response.status).toBe(501)
  })

  test('origins: those of the list and no others', async () => {
    const backend = await startBackend('a')
    const [, port = 0] = await start({
      instances: [at(backend)],
      rules: ['path: /ws, serviceName: a'],
      more: '  frontend: { websocket: { enabled: true, checkOrigin: true, allowedOrigins: ["https://a.example"] } }\n',
    })
    const statuses = await Promise.all(
      ['https://a.example', 'https://b.example'].map(async origin => {
        const { wire, response } = await openWebSocket(port, '/ws', [`Origin: ${origin}`])
        wire.socket.destroy()
        return response.status
      }),
    )
    expect(statuses).toEqual([101, 403])
  })

  test('a plugin of a file, with options of its own and of a rule', async () => {
    const backend = await startBackend('a')
    const audit = `import { definePlugin } from '@gateway/core'
const text = { '~standard': { version: 1, vendor: 'test', validate: value => ({ value }) } }
export const audit = definePlugin({
  name: 'audit',
  options: text,
  routeOptions: text,
  setup: (_host, { mark }) => ({
    onRoute: ({ options }) => ({ onResponse: (_ctx, head) => head.headers.set('x-audit', mark + options?.as) }),
  }),
})`
    const [port = 0] = await start(
      {
        instances: [at(backend)],
        rules: ['path: /a, serviceName: a, audit: { as: 5 }'],
        more: `  plugins: [{ package: ./audit.js, options: { mark: "\${MARK:-m}" } }]\n`,
      },
      { 'audit.js': audit },
    )
    expect((await ask(port, 'GET /a')).lines).toContain('x-audit: m5')
  })
})

test('a package that is not there is told of at the line that asks for it', async () => {
  const loading = loadYaml(`gateway:
  registry: { static: { services: [{ name: a, instances: [{ ${at(1)} }] }] } }
  plugins: ['@gateway/nobody']
  router: { rules: [{ path: /a, serviceName: a }] }
`)
  await expect(loading).rejects.toMatchObject({ problems: [{ code: 'CONFIG_IMPORT_NOT_FOUND', line: 3, column: 13 }] })
})

test('sticky cookies are signed with a key of the environment, where there is one', async () => {
  vi.stubEnv('GATEWAY_STICKY_KEY', 'a key of thirty-two characters !!')
  const config = await loadYaml(`gateway:
  registry: { static: { services: [{ name: a, instances: [{ ${at(1)} }] }] } }
  router: { rules: [{ path: /a, serviceName: a, loadBalance: sticky }] }
`)
  vi.unstubAllEnvs()
  expect(config.plugins).toMatchObject([{ name: 'balancing', options: { key: { name: 'GATEWAY_STICKY_KEY' } } }])
})
