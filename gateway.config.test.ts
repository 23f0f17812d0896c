import assert from 'node:assert/strict'
import { hang, refuse, testGateway } from '@gateway/testing'
import { test } from 'vitest'
import config from './gateway.config.ts'

const hello = () => new Response('hello')

test('the example goes to its service', async () => {
  await using gateway = await testGateway(config, { upstreams: { example: hello } })
  assert.deepEqual(gateway.route('GET /api/example/users?page=2'), {
    name: 'example',
    params: { '*': 'users' },
    plugins: ['access', 'rateLimit', 'servedBy'],
    service: 'example',
    upstreamPath: '/users?page=2',
  })
  const response = await gateway.fetch('/api/example/users', { method: 'POST', body: 'Ada' })
  assert.equal(await response.text(), 'hello')
  const [request] = gateway.requests('example')
  assert.equal(request?.url, 'http://127.0.0.1:3001/users')
  assert.equal(await request?.text(), 'Ada')
})

test('a target that is down is passed over', async () => {
  await using gateway = await testGateway(config, { upstreams: { 'http://127.0.0.1:3001': refuse, example: hello } })
  const response = await gateway.fetch('/api/example/users')
  assert.equal(response.headers.get('X-Served-By'), 'http://127.0.0.1:3002')
})

test('a target that hangs is given ten seconds', async () => {
  await using gateway = await testGateway(config, { upstreams: { example: hang } })
  const response = gateway.fetch('/api/example/users')
  await gateway.clock.advance('10s')
  assert.equal((await response).status, 504)
})
