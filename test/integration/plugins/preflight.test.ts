import type { RouteHooks } from '@gateway/core'
import { expect, test } from 'vitest'
import { startGateway } from '../../support/gateway.ts'
import { ask, askProblem, gate, hooked } from './support.ts'

const preflight = (method: string, headers: Record<string, string> = {}): RequestInit => ({
  method: 'OPTIONS',
  headers: { origin: 'https://app.example', 'access-control-request-method': method, ...headers },
})

const answering: RouteHooks = {
  onPreflight: ({ route, params }) => ({ status: 200, body: `${route} ${params.id}` }),
}

const routes = {
  read: { match: 'GET /users/:id', reply: { status: 200, body: 'read' } },
  write: { match: 'POST /users/:id', reply: { status: 200, body: 'write' } },
}

test('is answered by the route of the request that it asks about, before any onRequest', async () => {
  const seen: string[] = []
  const guard = hooked('guard', {
    onRequest: ({ method }) => {
      seen.push(method)
      return { status: 401 }
    },
    onResponse: () => void seen.push('response'),
  })
  const running = await startGateway({ plugins: [guard, hooked('cors', answering)], routes })
  expect(await ask(running, '/users/7', preflight('POST'))).toBe('200 write 7')
  expect(await ask(running, '/users/7', preflight('GET'))).toBe('200 read 7')
  expect(seen).toEqual(['response', 'response'])
  expect(await ask(running, '/users/7')).toBe('401 ')
})

test('goes on as an OPTIONS request when no plugin answers it', async () => {
  const seen: string[] = []
  const silent = hooked('silent', {
    onPreflight: () => void seen.push('preflight'),
    onRequest: ({ route }) => void seen.push(`request ${route}`),
  })
  const options = { match: 'OPTIONS /users/:id', reply: { status: 204 } }
  const running = await startGateway({ plugins: [silent], routes: { ...routes, options } })
  expect(await ask(running, '/users/7', preflight('POST'))).toBe('204 ')
  expect(seen).toEqual(['preflight', 'request options'])
})

test.each([
  ['without Origin', { method: 'OPTIONS', headers: { 'access-control-request-method': 'GET' } }],
  ['without a method', { method: 'OPTIONS', headers: { origin: 'https://app.example' } }],
  ['for a method that has no route', preflight('DELETE')],
])('is none %s', async (_, init) => {
  const running = await startGateway({ plugins: [hooked('cors', answering)], routes })
  expect(await askProblem(running, '/users/7', init)).toBe('405 GATEWAY_METHOD_NOT_ALLOWED')
})

test('may be answered later, within the time of its route', async () => {
  const never = gate<never>()
  const waiting = hooked('waiting', { onPreflight: () => never.promise })
  const running = await startGateway({
    plugins: [waiting],
    routes: { ...routes, read: { ...routes.read, timeout: { total: '60ms' } } },
  })
  expect(await askProblem(running, '/users/7', preflight('GET'))).toBe('504 GATEWAY_TIMEOUT')
})

test('that fails is a 500 of its own', async () => {
  const failing = hooked('failing', {
    onPreflight: () => {
      throw new Error('on purpose')
    },
  })
  const running = await startGateway({ plugins: [failing], routes })
  expect(await askProblem(running, '/users/7', preflight('GET'))).toBe('500 GATEWAY_PLUGIN_FAILED')
  expect(running.log.all.some(({ message }) => message.includes('onPreflight'))).toBe(true)
})
