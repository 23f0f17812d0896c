import { expect, test } from 'vitest'
import { makeFolder } from '../../../test/support/folder.ts'
import { run } from './command-line.fixture.ts'

const config = `import { defineConfig } from '@gateway/core'

export default defineConfig({
  listen: { port: 8443 },
  services: {
    users: { targets: ['https://127.0.0.1:3001'], tls: { key: '-----BEGIN PRIVATE KEY-----', serverName: 'users.test' } },
  },
  routes: {
    old: { match: 'GET /old/*', redirect: { to: '/users/*', status: 301 } },
    user: {
      match: 'GET /users/:id',
      service: 'users',
      rewrite: '/v2/users/:id',
      headers: { 'X-API-Key': 's3cret', accept: /json/ },
      requestHeaders: { set: { Authorization: 'Bearer s3cret' } },
      timeout: '10s',
      onRequest() {},
    },
    me: { match: 'GET /users/me', reply: { status: 204 } },
    host: { match: 'ANY /*', host: 'api.example.com', service: 'users' },
  },
})
`

test('print shows the model, without secrets', async () => {
  const { code, stdout, stderr } = await run(makeFolder({ 'gateway.config.ts': config }), 'print')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).not.toMatch(/s3cret|PRIVATE/)
  const model = JSON.parse(stdout)
  const limits = { headTimeout: 10_000, pendingBytes: 65_536, http2: { maxConcurrentStreams: 100 } }
  expect(model).toMatchObject({ listeners: [{ port: 8443, limits }], timeoutStatus: 504 })
  expect(model.services[0].tls).toEqual({ key: '[redacted]', serverName: 'users.test' })
  expect(model.routes.find(({ name }: { name: string }) => name === 'user')).toMatchObject({
    match: 'GET /users/:id',
    action: { kind: 'service', service: 'users', rewrite: '/v2/users/:id' },
    headers: [
      { name: 'X-API-Key', value: '[redacted]' },
      { name: 'accept', pattern: '/json/' },
    ],
    requestHeaders: { set: { Authorization: '[redacted]' } },
    timeouts: { total: 10_000 },
    hooks: { onRequest: '[function onRequest]' },
  })
})

test('routes are listed with the more specific ones first', async () => {
  const { code, stdout } = await run(makeFolder({ 'gateway.config.ts': config }), 'routes')
  expect(code).toBe(0)
  expect(stdout.split('\n').map(line => line.replace(/ {2,}/g, ' | '))).toEqual([
    'METHOD | HOST | PATH | TO | WHEN | PLUGINS | NAME',
    'ANY | api.example.com | /* | → users | - | - | host',
    'GET | * | /old/* | → redirect 301 /users/* | - | - | old',
    'GET | * | /users/me | → reply 204 | - | - | me',
    'GET | * | /users/:id | → users /v2/users/:id | header X-API-Key = [redacted], header accept ~ /json/ | - | user',
    '',
  ])
})

test('routes as JSON', async () => {
  const { stdout } = await run(makeFolder({ 'gateway.config.ts': config }), 'routes', '--json')
  expect(JSON.parse(stdout)[2]).toEqual({
    name: 'me',
    method: 'GET',
    host: '*',
    path: '/users/me',
    to: 'reply 204',
    when: '',
    plugins: [],
  })
})

test.each(['print', 'routes'])('%s of a wrong config shows its problems and exits with 1', async name => {
  const wrong = config.replace("service: 'users',", "service: 'usres',")
  const { code, stdout, stderr } = await run(makeFolder({ 'gateway.config.ts': wrong }), name)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/^gateway\.config\.ts:12:16 error CONFIG_UNKNOWN_SERVICE /)
})
