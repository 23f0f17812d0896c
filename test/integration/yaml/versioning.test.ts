import { describe, expect, test } from 'vitest'
import { openStream } from '../../support/event-client.ts'
import { startGateway } from '../../support/gateway.ts'
import { lineValue, type Message } from '../../support/message.ts'
import { ask } from './ask.ts'
import { startBackend } from './backend.ts'
import { loadYaml, onFreePorts } from './load-yaml.ts'

/** A gateway with services "one" and "two". */
async function start(versioning: string, rules: readonly string[], more = ''): Promise<number> {
  const [one, two] = [await startBackend('one'), await startBackend('two')]
  const config = await loadYaml(`gateway:
${more}  registry:
    static:
      services:
        - { name: one, instances: [{ address: 127.0.0.1, port: ${one} }] }
        - { name: two, instances: [{ address: 127.0.0.1, port: ${two} }] }
  router:
    rules:
${rules.map(rule => `      - { ${rule} }\n`).join('')}  versioning:
    enabled: true
${versioning}`)
  const { gateway } = await startGateway(onFreePorts(config))
  return gateway.addresses[0]?.port ?? 0
}

const told = ({ body, lines }: Message) => `${body} ${lineValue(lines, 'x-api-version')}`
const mappings = (more = '') => `    versionMappings: { '1.0': { service: one }, '2.0': { service: two${more} } }\n`
const users = ['path: /users/*, serviceName: one, methods: [GET, POST]']

describe.each<[string, string, string, readonly string[]]>([
  ['header', '    strategy: header\n    versionHeader: X-Version\n', 'GET /users/7', ['X-Version: 2.0']],
  ['header, a shorter number', '    strategy: header\n', 'GET /users/7', ['X-API-Version: 2']],
  ['query', '    strategy: query\n    queryParam: v\n', 'GET /users/7?v=2.0', []],
  ['accept', '    strategy: accept\n', 'GET /users/7', ['Accept: application/json; version=2.0']],
  [
    'accept by a pattern',
    "    strategy: accept\n    acceptPattern: 'vnd\\.(?:acme)\\.v(\\d+(?:\\.\\d+)?)\\+json'\n",
    'GET /users/7',
    ['Accept: application/vnd.acme.v2+json'],
  ],
])('by %s', (_name, strategy, request, lines) => {
  test('goes to its service, all else to the default', async () => {
    const port = await start(`${strategy}    defaultVersion: '1.0'\n${mappings()}`, users)
    const path = request.slice('GET '.length)
    expect(told(await ask(port, request, lines))).toBe(`two GET ${path} 2.0`)
    expect(told(await ask(port, 'GET /users/7'))).toBe('one GET /users/7 1.0')
    const other = [request.replace('2.0', '2.5'), lines.map(line => line.replace(/2(\.0)?/, '2.5'))] as const
    expect(told(await ask(port, ...other))).toBe(`one ${other[0]} 1.0`)
    expect((await ask(port, request.replace('GET', 'DELETE'), lines)).status).toBe(405)
  })
})

test('a prefix is put before paths that are sent on, and rules below it take what asks for the version', async () => {
  const port = await start(
    `    strategy: header\n    defaultVersion: '1'\n    versionMappings: { '1': { pathPrefix: /v1 }, '2': { pathPrefix: v2/ } }\n`,
    [
      'path: /v1/users/*, serviceName: one',
      'path: /v2/users/*, serviceName: two',
      'path: /orders/:id, serviceName: one',
    ],
  )
  const two = ['X-API-Version: 2']
  expect(told(await ask(port, 'GET /users/7', two))).toBe('two GET /v2/users/7 2')
  expect(told(await ask(port, 'GET /users/7'))).toBe('one GET /v1/users/7 1')
  expect(told(await ask(port, 'GET /v2/users/7'))).toBe('two GET /v2/users/7 2')
  expect(told(await ask(port, 'GET /orders/7', two))).toBe('one GET /v2/orders/7 2')
  expect(told(await ask(port, 'GET /orders/7'))).toBe('one GET /v1/orders/7 1')
})

test('by path: what stands first in it, and the default for paths without', async () => {
  const port = await start(`    strategy: path\n    defaultVersion: '1.0'\n${mappings()}`, [
    'path: /v2/users/*, serviceName: one',
    'path: /users/*, serviceName: two',
    'path: /*, serviceName: one',
  ])
  expect(told(await ask(port, 'GET /v2/users/7'))).toBe('two GET /v2/users/7 2.0')
  expect(told(await ask(port, 'GET /users/7'))).toBe('one GET /users/7 1.0')
  expect(told(await ask(port, 'GET /v2.0/other'))).toBe('two GET /v2.0/other 2.0')
  expect(told(await ask(port, 'GET /v3/other'))).toBe('one GET /v3/other 1.0')
})

test('deprecation, sunset and what caches have to know', async () => {
  const port = await start(
    `    strategy: header
    defaultVersion: '2'
    versionMappings: { '0': { deprecated: true } }
    deprecatedVersions:
      '1': { message: move on, deprecationDate: '2026-01-01T00:00:00Z', sunsetDate: '2027-01-31T12:00:00+02:00' }
`,
    users,
  )
  const { lines } = await ask(port, 'GET /users/7', ['X-API-Version: 1'])
  const names = ['x-api-deprecated', 'x-api-deprecation-message', 'deprecation', 'sunset', 'vary']
  expect(names.map(name => lineValue(lines, name))).toEqual([
    'true',
    'move on',
    '@1767225600',
    'Sun, 31 Jan 2027 10:00:00 GMT',
    'X-API-Version',
  ])
  const current = await ask(port, 'GET /users/7')
  expect(names.map(name => lineValue(current.lines, name))).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    names[4] && 'X-API-Version',
  ])
  const oldest = await ask(port, 'GET /users/7', ['X-API-Version: 0'])
  expect(names.slice(0, 4).map(name => lineValue(oldest.lines, name))).toEqual([
    'true',
    undefined,
    undefined,
    undefined,
  ])
})

test('event streams, and paths that anybody may ask, have versions as all else', async () => {
  const port = await start(
    `    strategy: header\n    defaultVersion: '1.0'\n${mappings()}`,
    users,
    `  frontend: { sse: { enabled: true } }
  auth: { required: true, providers: [apikey], skipPaths: [/users/public/], apikey: { enabled: true, keys: { a: { key: abcdefgh } } } }
`,
  )
  const stream = await openStream(
    port,
    { accept: 'text/event-stream', 'x-api-version': '2.0', 'x-api-key': 'abcdefgh' },
    '/users/7',
  )
  await stream.until('two')
  stream.leave()
  expect((await ask(port, 'GET /users/7', ['X-API-Version: 2.0'])).status).toBe(401)
  expect(told(await ask(port, 'GET /users/public/7', ['X-API-Version: 2.0']))).toBe('two GET /users/public/7 2.0')
})
