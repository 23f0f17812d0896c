import { defineExtension, definePlugin } from '@gateway/core'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { normalise } from '../config/normalise.ts'
import { serialiseModel } from './serialise-model.ts'

const ring = defineExtension({
  point: 'balancer',
  name: 'ring',
  options: z.strictObject({ replicas: z.number() }),
  create: () => ({ pick: ([target]) => target }),
})
const auth = definePlugin({
  name: 'auth',
  stage: 'identify',
  options: z.strictObject({ secret: z.string(), realm: z.string() }),
  routeOptions: z.strictObject({ scopes: z.array(z.string()) }),
  extensions: [ring],
  setup() {},
})

const base = {
  listen: [{ port: 0 }, { port: 0 }, { port: 8443, host: '127.0.0.1' }],
  plugins: [auth({ secret: 'hush-hush', realm: 'here' })],
  services: { users: { targets: ['http://127.0.0.1:3001'], balance: { use: 'ring', replicas: 3 } } },
  routes: {
    user: { match: 'GET /users/:id', service: 'users', auth: { scopes: ['read'] }, timeout: '5s' },
    hello: { match: 'GET /hello', reply: { status: 200, body: 'hello' }, onRequest: () => undefined },
  },
}

async function serialised(change: object = {}, salt = 'salt') {
  const { model, problems } = normalise({ ...base, ...change })
  if (model === undefined) throw new Error(JSON.stringify(problems))
  return serialiseModel(model, salt)
}

test('one entry for each part, by name', async () => {
  expect(await serialised()).toMatchObject({
    settings: { timeoutStatus: 504, drainTimeoutMs: 30_000, log: { level: 'info', access: false } },
    listeners: { '*:0': {}, '*:0, 2': {}, '127.0.0.1:8443': { http2: true } },
    pluginOrder: ['auth'],
    plugins: { auth: { stage: 'identify', options: { realm: 'here' }, extensions: [{ name: 'ring' }] } },
    services: { users: { balance: { use: 'ring', options: { replicas: 3 } } } },
    routes: {
      hello: { action: { kind: 'reply' } },
      user: { match: 'GET /users/:id', timeouts: { total: 5_000 }, options: { auth: { scopes: ['read'] } } },
    },
  })
})

test('keys are in order, whatever the order of the config', async () => {
  const { user, hello } = base.routes
  const model = await serialised()
  const text = JSON.stringify(model)
  expect(JSON.stringify(await serialised({ routes: { hello, user } }))).toBe(text)
  expect(Object.keys(model.routes)).toEqual(['hello', 'user'])
  expect(JSON.parse(text)).toEqual(model)
})

test('a secret does not show, its change does, and only under one salt', async () => {
  const plugins = [auth({ secret: 'hush-hush!', realm: 'here' })]
  const secretOf = async (...args: Parameters<typeof serialised>) =>
    Object((await serialised(...args)).plugins.auth?.options).secret
  const secret = await secretOf()
  expect(secret).toMatch(/^\[redacted [\w-]{12}\]$/)
  expect(JSON.stringify(await serialised())).not.toContain('hush')
  expect(await secretOf()).toBe(secret)
  expect(await secretOf({ plugins })).not.toBe(secret)
  expect(await secretOf({}, 'other')).not.toBe(secret)
})

test('without a salt each call has its own', async () => {
  const { model } = normalise(base)
  if (model === undefined) throw new Error('the config is wrong')
  expect((await serialiseModel(model)).salt).not.toBe((await serialiseModel(model)).salt)
})

test('other code of a hook or a set-up shows', async () => {
  const before = await serialised()
  const hello = { ...base.routes.hello, onRequest: () => ({ status: 404 }) }
  const { routes } = await serialised({ routes: { ...base.routes, hello } })
  expect(routes.hello).not.toEqual(before.routes.hello)
  expect(routes.user).toEqual(before.routes.user)
  const { definition } = auth({ secret: '', realm: '' })
  const other = { name: 'auth', definition: { ...definition, setup: () => void 0 }, options: base.plugins[0]?.options }
  expect((await serialised({ plugins: [other] })).plugins.auth).not.toEqual(before.plugins.auth)
})

test('where a value was written makes no difference', async () => {
  const { user, hello } = base.routes
  const elsewhere = {
    timeouts: { total: '5s' },
    routes: { user: { ...user, timeout: {} }, hello: { ...hello, timeout: { total: 0 } } },
  }
  expect(await serialised(elsewhere)).toEqual(await serialised())
})

test('a long one lets others work in between', async () => {
  const routes = Object.fromEntries(
    Array.from({ length: 2_000 }, (_, index) => [`r${index}`, { match: `GET /r${index}`, reply: { status: 204 } }]),
  )
  let turns = 0
  const others = setInterval(() => turns++, 0)
  await serialised({ routes, services: {} })
  clearInterval(others)
  expect(turns).toBeGreaterThan(0)
})
