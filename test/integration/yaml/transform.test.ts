import { expect, test } from 'vitest'
import { openStream } from '../../support/event-client.ts'
import { startGateway } from '../../support/gateway.ts'
import { lineValue } from '../../support/message.ts'
import { startUpstream } from '../../support/upstream.ts'
import { ask } from './ask.ts'
import { startBackend } from './backend.ts'
import { loadYaml, onFreePorts } from './load-yaml.ts'

async function start(instancePort: number, transform: string, more = ''): Promise<number> {
  const config = await loadYaml(`gateway:
${more}  registry:
    static: { services: [{ name: a, instances: [{ address: 127.0.0.1, port: ${instancePort} }] }] }
  router: { rules: [{ path: /*, serviceName: a }, { path: /users/:id, serviceName: a }] }
  middleware:
    transform:
      enabled: true
${transform}`)
  const { gateway } = await startGateway(onFreePorts(config))
  return gateway.addresses[0]?.port ?? 0
}

test('fields of requests: the most specific path counts, and what is global where there is none', async () => {
  const upstream = await startUpstream((request, response) => {
    response.end(JSON.stringify([request.headers['x-from'], request.headers['x-new'], request.headers['x-cut']]))
  })
  const port = await start(
    upstream.port,
    `      globalRequest: { headers: { add: { X-From: everywhere } } }
      request:
        /api*: { headers: { add: { X-From: api } } }
        /api/users/*:
          headers: { add: { X-From: users }, rename: { X-Old: X-New }, modify: { X-Cut: '(?i)SECRET-' } }
          conditions: [{ method: get }, { header: X-Old }]
        /api/users/me: { headers: { remove: [X-Cut] } }
`,
  )
  const lines = ['X-Old: old', 'X-Cut: a-secret-b']
  const told = async (request: string, more = lines) => JSON.parse((await ask(port, request, more)).body)
  expect(await told('GET /other')).toEqual(['everywhere', null, 'a-secret-b'])
  expect(await told('GET /users/7')).toEqual(['everywhere', null, 'a-secret-b'])
  expect(await told('GET /api')).toEqual(['api', null, 'a-secret-b'])
  expect(await told('GET /api/orders')).toEqual(['api', null, 'a-secret-b'])
  expect(await told('GET /api/users/7')).toEqual(['users', 'old', 'a-b'])
  expect(await told('POST /api/users/7')).toEqual([null, null, 'a-secret-b'])
  expect(await told('GET /api/users/7', [])).toEqual([null, null, null])
  expect(await told('GET /api/users/me')).toEqual([null, null, null])
})

test('JSON bodies of both ways, and what is no JSON is left alone', async () => {
  const upstream = await startUpstream((request, response) => {
    response.setHeader('content-type', 'application/json').setHeader('x-powered-by', 'PHP')
    request.pipe(response)
  })
  const port = await start(
    upstream.port,
    `      request:
        /users/:id:
          body:
            format: json
            operations:
              - { type: add, path: meta.by, value: gateway }
              - { type: modify, path: age, value: 8 }
              - { type: rename, from: nick, to: name }
      globalResponse:
        headers: { remove: [X-Powered-By] }
        body: { operations: [{ type: remove, path: $.password }] }
`,
  )
  const body = '{"nick":"ada","password":"x"}'
  const changed = await ask(port, 'POST /users/7', ['Content-Type: application/json'], body)
  expect(JSON.parse(changed.body)).toEqual({ name: 'ada', meta: { by: 'gateway' } })
  expect(lineValue(changed.lines, 'x-powered-by')).toBeUndefined()
  const other = await ask(port, 'POST /else', ['Content-Type: application/json'], body)
  expect(JSON.parse(other.body)).toEqual({ nick: 'ada' })
})

test('event streams pass where bodies of answers are changed', async () => {
  const port = await start(
    await startBackend('a'),
    "      globalResponse: { headers: { add: { X-Seen: 'yes' } }, body: { operations: [{ type: remove, path: a }] } }\n",
    '  frontend: { sse: { enabled: true } }\n',
  )
  const stream = await openStream(port, { accept: 'text/event-stream' }, '/events')
  await stream.until('a')
  stream.leave()
  expect(lineValue((await ask(port, 'GET /plain')).lines, 'x-seen')).toBe('yes')
})
