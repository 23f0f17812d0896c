import { createGateway, defineConfig, definePlugin, type RouteHooks, silentLog } from '@gateway/core'
import { cors } from '@gateway/cors'
import { pluginSuite } from '@gateway/testing'
import { describe, expect, test } from 'vitest'
import { proxyTo, startGateway } from '../../../test/support/gateway.ts'
import { recordingBackend } from '../../../test/support/upstream.ts'
import { responseText } from '../../../test/support/wire.ts'

type Policy = NonNullable<Parameters<typeof cors>[0]>

const page = 'https://app.example'

for (const { name, run } of pluginSuite(() => cors(), { routeOptions: { origins: [page] } })) test(name, run)

const refusing = definePlugin({
  name: 'refusing',
  stage: 'identify',
  setup: () => ({ onRoute: (): RouteHooks => ({ onRequest: () => ({ status: 401 }) }) }),
})

interface Given {
  readonly policy?: Policy
  readonly route?: object
  readonly guarded?: boolean
  readonly reply?: object
}

async function gatewayWith({ policy, route = {}, guarded = false, reply = {} }: Given) {
  const config = {
    plugins: [...(guarded ? [refusing()] : []), policy === undefined ? cors() : cors(policy)],
    routes: { read: { match: 'GET /data', reply: { status: 200, body: 'data', ...reply }, ...route } },
  }
  return createGateway(config, { log: silentLog })
}

/** The CORS fields of an answer, by their short names, with its status. */
async function ask(given: Given, headers: Record<string, string>, method = 'GET', path = '/data') {
  const gateway = await gatewayWith(given)
  const response = await gateway.fetch(`http://gateway.test${path}`, { method, headers })
  await response.arrayBuffer()
  await gateway.close()
  const fields = [...response.headers].flatMap(([name, value]) =>
    name === 'vary' ? [[name, value]] : name.startsWith('access-control-') ? [[name.slice(15), value]] : [],
  )
  return { status: response.status, ...Object.fromEntries(fields) }
}

const preflight = (given: Given, more: Record<string, string> = {}) =>
  ask(given, { origin: page, 'access-control-request-method': 'GET', ...more }, 'OPTIONS')

const preflightVary = 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers'

describe('an answer', () => {
  test.each<[string, Policy, string | undefined, object]>([
    ['to a listed origin', { origins: [page] }, page, { 'allow-origin': page, vary: 'Origin' }],
    ['to another origin', { origins: [page] }, 'https://evil.example', { vary: 'Origin' }],
    ['to no page at all', { origins: [page] }, undefined, { vary: 'Origin' }],
    ['to nobody', { origins: [] }, page, { vary: 'Origin' }],
    ['to anybody', { origins: '*' }, page, { 'allow-origin': '*' }],
    ['to anybody, without an origin', { origins: '*' }, undefined, {}],
    [
      'with credentials and exposed fields',
      { origins: [page], credentials: true, exposedHeaders: ['X-Total', 'ETag'] },
      page,
      { 'allow-origin': page, 'allow-credentials': 'true', 'expose-headers': 'X-Total, ETag', vary: 'Origin' },
    ],
    ['to a sandboxed page', { origins: ['null'] }, 'null', { 'allow-origin': 'null', vary: 'Origin' }],
    ['to a sandboxed page not listed', { origins: [page, 'https://*.example'] }, 'null', { vary: 'Origin' }],
  ])('%s', async (_, policy, origin, expected) => {
    expect(await ask({ policy }, origin === undefined ? {} : { origin })).toEqual({ status: 200, ...expected })
  })

  test.each(['Origin', 'accept, origin', '*'])('adds no second Origin to Vary: %s', async vary => {
    const answer = await ask({ policy: { origins: [page] }, reply: { headers: { Vary: vary } } }, { origin: page })
    expect(answer).toMatchObject({ vary })
  })

  test('keeps the Vary that is there', async () => {
    const reply = { headers: { Vary: 'Accept-Encoding, X-Origin' } }
    expect(await ask({ policy: { origins: [page] }, reply }, {})).toMatchObject({
      vary: 'Accept-Encoding, X-Origin, Origin',
    })
  })

  test('of another plugin, an error among them, is marked as well', async () => {
    expect(await ask({ policy: { origins: [page] }, guarded: true }, { origin: page })).toEqual({
      status: 401,
      'allow-origin': page,
      vary: 'Origin',
    })
    const failing = { onRequest: () => Promise.reject(new Error('on purpose')) }
    expect(await ask({ policy: { origins: [page] }, route: failing }, { origin: page })).toMatchObject({
      status: 500,
      'allow-origin': page,
    })
  })
})

describe('whose origin', () => {
  test.each<[NonNullable<Policy['origins']>, string, boolean]>([
    [['https://*.example.com'], 'https://a.example.com', true],
    [['https://*.example.com'], 'https://b.a.example.com', true],
    [['https://*.example.com'], 'https://example.com', false],
    [['https://*.example.com'], 'https://evilexample.com', false],
    [['https://*.example.com'], 'https://a.example.com.evil.test', false],
    [['https://*.example.com'], 'https://a.exampleXcom', false],
    [['https://*.example.com'], 'http://a.example.com', false],
    [['https://*.example.com'], 'https://a.example.com:8443', false],
    [['https://*.example.com:8443'], 'https://a.example.com:8443', true],
    [['http://localhost:*'], 'http://localhost:5173', true],
    [['http://localhost:*'], 'http://localhost', true],
    [['http://localhost:*'], 'http://localhost.evil.test:80', false],
    [['http://[::1]:*'], 'http://[::1]:3000', true],
    [['capacitor://localhost'], 'capacitor://localhost', true],
    [[/https:\/\/app\d\.example/], 'https://app1.example', true],
    [[/https:\/\/app\d\.example/], 'https://app1.example.evil.test', false],
    [[/https:\/\/a\.example|https:\/\/b\.example/], 'https://b.example', true],
    [[/https:\/\/a\.example|https:\/\/b\.example/], 'https://a.example.evil.test', false],
    [[/https:\/\/a\.example/m], 'https://a.example', true],
    [[origin => origin.endsWith('.example')], page, true],
    [[origin => origin.endsWith('.test')], page, false],
  ])('%s: %s is %s', async (origins, origin, allowed) => {
    const answer = await ask({ policy: { origins } }, { origin })
    expect('allow-origin' in answer).toBe(allowed)
  })

  test('an expression with a flag that keeps state gives the same answer each time', async () => {
    const gateway = await gatewayWith({ policy: { origins: [/https:\/\/app\.example/g] } })
    for (let i = 0; i < 3; i++) {
      const { headers } = await gateway.fetch('http://gateway.test/data', { headers: { origin: page } })
      expect(headers.get('access-control-allow-origin')).toBe(page)
    }
    await gateway.close()
  })
})

describe('a preflight', () => {
  test.each<[string, Policy, Record<string, string>, object]>([
    ['is answered with what was asked for', { origins: [page] }, {}, {}],
    [
      'may ask for fields',
      { origins: [page] },
      { 'access-control-request-headers': 'authorization,x-a' },
      { 'allow-headers': 'authorization,x-a' },
    ],
    [
      'hears the list of fields',
      { origins: [page], headers: ['X-A', 'Content-Type'] },
      { 'access-control-request-headers': 'authorization' },
      { 'allow-headers': 'X-A, Content-Type' },
    ],
    [
      'hears the list of methods',
      { origins: [page], methods: ['PUT', 'DELETE'] },
      {},
      { 'allow-methods': 'PUT, DELETE' },
    ],
    ['may be kept', { origins: [page], maxAge: '2h' }, {}, { 'max-age': '7200' }],
    ['need not be kept', { origins: [page], maxAge: 0 }, {}, { 'max-age': '0' }],
    ['may allow credentials', { origins: [page], credentials: true }, {}, { 'allow-credentials': 'true' }],
    [
      'may open a private network',
      { origins: [page], privateNetwork: true },
      { 'access-control-request-private-network': 'true' },
      { 'allow-private-network': 'true' },
    ],
    ['keeps a private network closed', { origins: [page] }, { 'access-control-request-private-network': 'true' }, {}],
  ])('%s', async (_, policy, asked, expected) => {
    expect(await preflight({ policy, guarded: true }, asked)).toEqual({
      status: 204,
      'allow-origin': page,
      'allow-methods': 'GET',
      'max-age': '600',
      vary: preflightVary,
      ...expected,
    })
  })

  test('from another origin is refused', async () => {
    expect(await preflight({ policy: { origins: [page] } }, { origin: 'https://evil.example' })).toEqual({
      status: 403,
      vary: preflightVary,
    })
  })

  test('for a method without a route is none', async () => {
    expect(await preflight({ policy: { origins: [page] } }, { 'access-control-request-method': 'DELETE' })).toEqual({
      status: 405,
    })
  })
})

describe('a route', () => {
  test('may have a policy of its own', async () => {
    const given: Given = { policy: { origins: [page] }, route: { cors: { origins: '*' } } }
    expect(await ask(given, { origin: page })).toEqual({ status: 200, 'allow-origin': '*' })
  })

  test('may go without', async () => {
    const given = { policy: { origins: [page] }, route: { cors: false } }
    expect(await ask(given, { origin: page })).toEqual({ status: 200 })
    expect(await preflight(given)).toEqual({ status: 405 })
  })
})

test("takes the place of an upstream's own CORS", async () => {
  const fields = ['Access-Control-Allow-Origin: *', 'Access-Control-Allow-Credentials: true', 'Vary: Accept']
  const backend = await recordingBackend(() => responseText(200, fields, 'ok'))
  const { gateway } = await startGateway(proxyTo(backend.origin, { plugins: [cors({ origins: [page] })] }))
  const { headers } = await gateway.fetch('http://gateway.test/', { headers: { origin: page } })
  expect(headers.get('access-control-allow-origin')).toBe(page)
  expect(headers.get('access-control-allow-credentials')).toBeNull()
  expect(headers.get('vary')).toBe('Accept, Origin')
})

describe('a config is refused', () => {
  test.each<[string, unknown, RegExp]>([
    ['that lets everybody act for the user', { origins: '*', credentials: true }, /cannot go with origins: '\*'/],
    ['with a path in an origin', { origins: ['https://app.example/'] }, /without a path/],
    ['with capital letters', { origins: ['https://App.example'] }, /lower case/],
    ['with a port that goes without saying', { origins: ['https://app.example:443'] }, /leave out the port/],
    ['with a star in the middle', { origins: ['https://a.*.example'] }, /must be an origin such as/],
    ['with a bare host', { origins: ['app.example'] }, /must be an origin such as/],
    ['with one string in place of a list', { origins: page }, /must be '\*' or an array/],
    ['without origins', {}, /origins/],
    ['with a field name that is none', { origins: [page], exposedHeaders: ['X A'] }, /name of a header field/],
    ['with a method that is none', { origins: [page], methods: ['GET,PUT'] }, /must be a method/],
  ])('%s', async (_, policy, message) => {
    const config = defineConfig({ plugins: [cors(policy as Policy)], routes: {} })
    await expect(createGateway(config, { log: silentLog })).rejects.toThrow(message)
  })
})
