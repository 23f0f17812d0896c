import { describe, expect, test } from 'vitest'
import { startGateway } from '../../support/gateway.ts'
import { ask, textOf } from './ask.ts'
import { startBackend } from './backend.ts'
import { loadYaml, onFreePorts } from './load-yaml.ts'

const json = JSON.stringify(
  {
    openapi: '3.1.0',
    info: { title: 'Users', version: '1.0.0', description: 'costs $' + '{PRICE}' },
    tags: [{ name: 'orders', 'x-service': 'two' }],
    paths: {
      '/users': { get: { operationId: 'list' }, post: { 'x-gateway': { serviceName: 'two', timeout: 5 } } },
      '/users/{user-id}': { get: { operationId: 'one' }, trace: {} },
      '/orders/': { get: { operationId: 'list', tags: ['orders'] } },
      '/notes/{id}/text': { put: { operationId: 'note', tags: ['notes'] } },
    },
  },
  undefined,
  '\t',
)

const yaml = `openapi: 3.0.3
info: { title: Things, version: '1' }
paths:
  /things/{id}:
    x-note: it has no operations of its own
    delete: { summary: 'It is gone' }
`

async function start(openapi: string, rules = '[]'): Promise<number> {
  const [one, two] = [await startBackend('one'), await startBackend('two')]
  const text = `gateway:
  registry:
    static:
      services:
        - { name: one, instances: [{ address: 127.0.0.1, port: ${one} }] }
        - { name: two, instances: [{ address: 127.0.0.1, port: ${two} }] }
  router: { rules: ${rules} }
  openapi: { enabled: true, ${openapi} }
`
  const files = { 'users.openapi.json': json, 'Swagger-things.yaml': yaml, 'other.yaml': 'a: b' }
  const { gateway } = await startGateway(onFreePorts(await loadYaml(text, files)))
  return gateway.addresses[0]?.port ?? 0
}

describe.each([
  ['a folder', 'specsDirectory: ., defaultService: one'],
  ['files', 'defaultService: one, descriptors: { specFiles: [users.openapi.json, Swagger-things.yaml] }'],
])('documents of %s', (_name, openapi) => {
  test('bring a rule for each operation, to the service that they say', async () => {
    const port = await start(`${openapi}, serviceMappings: { notes: two }`)
    const asked = ['GET /users', 'POST /users', 'GET /users/7', 'GET /orders/', 'PUT /notes/7/text', 'DELETE /things/7']
    expect(await Promise.all(asked.map(request => textOf(port, request)))).toEqual([
      'one GET /users',
      'two POST /users',
      'one GET /users/7',
      'two GET /orders/',
      'two PUT /notes/7/text',
      'one DELETE /things/7',
    ])
    const refused = ['DELETE /users', 'GET /users/7/8', 'GET /orders', 'GET /other']
    expect(await Promise.all(refused.map(async request => (await ask(port, request)).status))).toEqual([
      405, 404, 404, 404,
    ])
  })
})

test('rules of the file go on beside them; a prefix is not sent on, and what is below may be taken, too', async () => {
  const manager = 'manager: { routePrefix: api, routeGeneration: { pathStyle: prefix } }'
  const port = await start(`specsDirectory: ., defaultService: one, ${manager}`, '[{ path: /*, serviceName: two }]')
  expect(await textOf(port, 'GET /api/users/7/8')).toBe('one GET /users/7/8')
  expect(await textOf(port, 'GET /api/users')).toBe('one GET /users')
  expect(await textOf(port, 'GET /users')).toBe('two GET /users')
})
