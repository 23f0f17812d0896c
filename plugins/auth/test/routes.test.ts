import { auth, identity } from '@gateway/auth'
import { type Context, createGateway, definePlugin, silentLog } from '@gateway/core'
import { pluginSuite } from '@gateway/testing'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { proxyTo, startGateway } from '../../../test/support/gateway.ts'
import { lineValues } from '../../../test/support/message.ts'
import { recordingBackend } from '../../../test/support/upstream.ts'
import { exchange } from '../../../test/support/wire.ts'
import { formatSha256 } from '../src/hashes.ts'
import { type AuthInput, challenges, ecPair, json, service, sign, start } from './support.ts'

const secret = 'a secret that is longer than thirty-two bytes'
const apiKeys = {
  keys: {
    alice: { hash: formatSha256('a'), scopes: ['read'], metadata: { plan: 'pro', tags: ['x', 'y'], level: 2 } },
    bob: { hash: formatSha256('b'), scopes: ['read', 'write'], roles: ['editor'] },
  },
}
const bearer = async (claims: object = {}) =>
  `Authorization: Bearer ${await sign(Buffer.from(secret), 'HS256', { ...claims })}`
const [asAlice, asBob, asNobody] = ['X-API-Key: a', 'X-API-Key: b', 'X-API-Key: c']

for (const { name, run } of pluginSuite(() => auth({ apiKeys, jwt: { secret } }), {
  routeOptions: { optional: true },
  alwaysOn: true,
}))
  test(name, run)

describe('who has to authenticate', () => {
  test('a route that says nothing asks for credentials, and tells of all ways', async () => {
    const { send, backend } = await start({ apiKeys, jwt: { secret }, certificate: true })
    const message = await send()
    expect(message.status).toBe(401)
    expect(JSON.parse(message.body)).toMatchObject({ code: 'AUTH_REQUIRED', title: 'Unauthorized', route: 'all' })
    expect(challenges(message)).toEqual([
      'Bearer realm="gateway"',
      'ApiKey realm="gateway"',
      'Certificate realm="gateway"',
    ])
    expect(backend.requests).toEqual([])
  })

  test.each<[AuthInput['default'], unknown, string[]]>([
    [undefined, undefined, ['401 AUTH_REQUIRED', '401 AUTH_INVALID', '200']],
    [undefined, false, ['200', '200', '200']],
    [undefined, { optional: true }, ['200', '401 AUTH_INVALID', '200']],
    [undefined, { optional: 'lenient' }, ['200', '200', '200']],
    [false, undefined, ['200', '200', '200']],
    [false, {}, ['401 AUTH_REQUIRED', '401 AUTH_INVALID', '200']],
    [{ scopes: ['write'] }, undefined, ['401 AUTH_REQUIRED', '401 AUTH_INVALID', '403 AUTH_FORBIDDEN']],
    [{ scopes: ['write'] }, { scopes: ['read'] }, ['401 AUTH_REQUIRED', '401 AUTH_INVALID', '200']],
    [{ scopes: ['write'] }, { optional: true }, ['200', '401 AUTH_INVALID', '403 AUTH_FORBIDDEN']],
  ])('default %j, route %j: nobody, somebody wrong, alice get %j', async (fallback, route, expected) => {
    const { ask } = await start(
      { apiKeys, ...(fallback !== undefined && { default: fallback }) },
      route === undefined ? {} : { auth: route },
    )
    expect([await ask(), await ask([asNobody]), await ask([asAlice])]).toEqual(expected)
  })

  test('the first method that finds credentials decides', async () => {
    const { ask, send } = await start({ apiKeys, jwt: { secret } })
    expect(await ask([await bearer(), asNobody])).toBe('200')
    expect(await ask(['Authorization: Bearer x', asAlice])).toBe('401 AUTH_INVALID')
    expect(challenges(await send(['Authorization: Bearer x', asAlice]))).toEqual([
      'Bearer realm="gateway", error="invalid_token"',
    ])
    expect(await ask(['Authorization: Digest x', asAlice])).toBe('200')
  })

  test('a route may name the methods and their order', async () => {
    const { ask, send } = await start({ apiKeys, jwt: { secret } }, { auth: { methods: ['apiKey', 'jwt'] } })
    expect(await ask([await bearer(), asNobody])).toBe('401 AUTH_INVALID')
    expect(challenges(await send())).toEqual(['ApiKey realm="gateway"', 'Bearer realm="gateway"'])
    const one = await start({ apiKeys, jwt: { secret } }, { auth: { methods: ['jwt'] } })
    expect(await one.ask([asAlice])).toBe('401 AUTH_REQUIRED')
    const wrong = await start({ apiKeys }, { auth: { methods: ['jwt'] } }).then(() => 'started', String)
    expect(wrong).toMatch(/the method "jwt" is not configured/)
  })

  test('tokens in a cookie or the query, where that is said', async () => {
    const { ask } = await start({ jwt: { secret }, token: { cookie: 'token', query: 'access_token' } })
    const token = (await bearer()).slice('Authorization: Bearer '.length)
    expect(await ask([`Cookie: a=b; token=${token}`])).toBe('200')
    expect(await ask([], `GET /?access_token=${token}`)).toBe('200')
    const raw = await start({ jwt: { secret }, token: { header: 'X-Token', scheme: '' } })
    expect(await raw.ask([`X-Token: ${token}`])).toBe('200')
    expect(await raw.ask([`Authorization: Bearer ${token}`])).toBe('401 AUTH_REQUIRED')
  })

  test('tokens of several issuers, each by its own keys', async () => {
    const [one, two] = [ecPair(), ecPair()]
    const { ask } = await start({
      jwt: [
        { issuer: 'one', keys: one.pem },
        { issuer: 'two', keys: two.pem, audience: 'us' },
      ],
    })
    const by = async (pair: typeof one, iss: string, more: object = {}) =>
      ask([`Authorization: Bearer ${await sign(pair.privateKey, 'ES256', { iss, ...more })}`])
    expect(await by(one, 'one')).toBe('200')
    expect(await by(two, 'two', { aud: 'us' })).toBe('200')
    expect(await by(two, 'two')).toBe('401 AUTH_INVALID')
    expect(await by(one, 'two', { aud: 'us' })).toBe('401 AUTH_INVALID')
    expect(await by(one, 'three')).toBe('401 AUTH_INVALID')
    for (const jwt of [
      [{ secret }, { issuer: 'x', secret }],
      [
        { issuer: 'x', secret },
        { issuer: 'x', keys: one.pem },
      ],
    ]) {
      expect(await start({ jwt }).then(() => 'started', String)).toMatch(
        /is needed where there are several|stands twice/,
      )
    }
  })

  test('without any method, and with an unknown route option, a config does not load', async () => {
    expect(await start({}).then(() => 'started', String)).toMatch(/has no way to authenticate/)
    expect(await start({ apiKeys }, { auth: { scope: ['x'] } }).then(() => 'started', String)).toMatch(
      /unknown key "scope"/,
    )
  })
})

describe('what somebody may', () => {
  test.each<[object, string, string]>([
    [{ scopes: ['read'] }, asAlice, '200'],
    [{ scopes: ['read', 'write'] }, asAlice, '403 AUTH_FORBIDDEN'],
    [{ scopes: ['read', 'write'] }, asBob, '200'],
    [{ scopes: [] }, asAlice, '200'],
    [{ roles: ['admin', 'editor'] }, asBob, '200'],
    [{ roles: ['admin'] }, asBob, '403 AUTH_FORBIDDEN'],
    [{ roles: ['editor'] }, asAlice, '403 AUTH_FORBIDDEN'],
    [{ claims: { plan: 'pro' } }, asAlice, '200'],
    [{ claims: { plan: ['free', 'pro'] } }, asAlice, '200'],
    [{ claims: { plan: true, level: 2 } }, asAlice, '200'],
    [{ claims: { plan: 'free' } }, asAlice, '403 AUTH_FORBIDDEN'],
    [{ claims: { level: '2' } }, asAlice, '403 AUTH_FORBIDDEN'],
    [{ claims: { plan: 'pro' } }, asBob, '403 AUTH_FORBIDDEN'],
    [{ claims: { tags: 'y' } }, asAlice, '200'],
    [{ claims: { tags: 'z' } }, asAlice, '403 AUTH_FORBIDDEN'],
    [{ claims: { constructor: true } }, asAlice, '403 AUTH_FORBIDDEN'],
    [{ claims: { 'plan.length': 3 } }, asAlice, '403 AUTH_FORBIDDEN'],
  ])('%j, %s: %s', async (route, line, expected) => {
    const { ask } = await start({ apiKeys }, { auth: route })
    expect(await ask([line])).toBe(expected)
  })

  test('a token that lacks scopes is told which, as RFC 6750 has it; roles are nobody else’s business', async () => {
    const { send } = await start({ jwt: { secret } }, { auth: { scopes: ['read', 'write'], roles: ['admin'] } })
    const lacking = await send([await bearer({ scope: 'read' })])
    expect(challenges(lacking)).toEqual(['Bearer realm="gateway", error="insufficient_scope", scope="read write"'])
    const other = await send([await bearer({ scope: 'write read more' })])
    expect([other.status, challenges(other)]).toEqual([403, []])
    expect(other.body).not.toContain('admin')
    const good = await send([await bearer({ scope: ['read', 'write'], roles: ['admin'] })])
    expect(good.status).toBe(200)
  })
})

describe('roles', () => {
  const rbac = {
    roles: {
      viewer: { permissions: ['orders:read', '/api/*:read'] },
      editor: { permissions: ['orders:update', '/api/orders:*'], inherits: ['viewer'] },
      auditor: { permissions: ['*:read'], inherits: ['viewer'] },
      // A diamond.
      lead: { inherits: ['editor', 'auditor'] },
      root: { permissions: ['*:*'] },
    },
    bindings: { alice: ['viewer'], carol: ['lead'] },
  }
  const as = (sub: string, roles: string[] = []) => bearer({ sub, roles })

  test.each([
    ['alice', [], ['orders:read'], '200'],
    ['alice', [], ['orders:update'], '403 AUTH_FORBIDDEN'],
    ['dave', [], ['orders:read'], '403 AUTH_FORBIDDEN'],
    ['dave', ['editor'], ['orders:read', 'orders:update'], '200'],
    ['dave', ['editor'], ['orders:read', 'orders:delete'], '403 AUTH_FORBIDDEN'],
    ['dave', ['unheard-of'], ['orders:read'], '403 AUTH_FORBIDDEN'],
    ['dave', ['__proto__', 'constructor'], ['orders:read'], '403 AUTH_FORBIDDEN'],
    ['carol', [], ['orders:update', 'anything:read'], '200'],
    ['dave', ['root'], ['a:b:c'], '200'],
  ])('%s with %j for %j: %s', async (sub, roles, permissions, expected) => {
    const { ask } = await start({ jwt: { secret }, rbac }, { auth: { permissions } })
    expect(await ask([await as(sub, roles)])).toBe(expected)
  })

  test('those inherited count on routes, and stand in the slot', async () => {
    const { ask, backend } = await start(
      { jwt: { secret }, rbac, forwardHeaders: { 'X-Roles': 'roles' } },
      { auth: { roles: ['viewer'] } },
    )
    expect(await ask([await as('carol', ['other'])])).toBe('200')
    expect(lineValues(backend.only.lines, 'x-roles')).toEqual(['other,lead,editor,viewer,auditor'])
  })

  test.each([
    ['GET /api/users/7', '200'],
    ['HEAD /api/orders', '200'],
    ['POST /api/orders', '200'],
    ['PUT /api/orders', '200'],
    ['PATCH /api/orders', '200'],
    ['DELETE /api/orders', '200'],
    ['POST /api/orders/7', '403 AUTH_FORBIDDEN'],
    ['GET /apix', '403 AUTH_FORBIDDEN'],
    ['GET /', '403 AUTH_FORBIDDEN'],
    ['OPTIONS /api/users', '403 AUTH_FORBIDDEN'],
  ])('each request can be asked about by path and action: %s', async (request, expected) => {
    const { ask } = await start({ jwt: { secret }, rbac: { ...rbac, requests: 'enforce' } })
    expect(await ask([await as('dave', ['editor'])], request)).toBe(expected)
  })

  test('report lets pass and tells the log', async () => {
    const { ask, log } = await start({ jwt: { secret }, rbac: { ...rbac, requests: 'report' } })
    expect(await ask([await as('dave')], 'GET /x')).toBe('200')
    expect(log.all.find(({ message }) => message === 'would be refused')?.fields.reason).toBe('no role permits /x:read')
  })

  test.each([
    [{ roles: { a: { inherits: ['b'] } } }, /"a" names the role "b", which is not there/],
    [{ roles: { a: { inherits: ['b'] }, b: { inherits: ['a'] } } }, /in a circle: "a" -> "b" -> "a"/],
    [{ roles: {}, bindings: { alice: ['a'] } }, /bindings of "alice" names the role "a"/],
    [{ roles: { a: { permissions: ['orders'] } } }, /must be 'resource:action'/],
  ])('%j is refused', async (wrong, reason) => {
    expect(await start({ jwt: { secret }, rbac: wrong }).then(() => 'started', String)).toMatch(reason)
  })

  test('permissions without roles are refused', async () => {
    const route = { auth: { permissions: ['orders:read'] } }
    expect(await start({ jwt: { secret } }, route).then(() => 'started', String)).toMatch(/permissions need rbac/)
  })
})

describe('what an upstream is told', () => {
  const forwardHeaders = { 'X-User-Id': 'sub', 'X-Tenant': 'org.tenant' }
  const forged = [
    'X-User-Id: root',
    'x-user-id: root',
    'X_User_Id: root',
    'X-USER_ID: root',
    'x_user-id: root',
    'X-Tenant: root',
    // What it names is taken off on the way (RFC 9110 section 7.6.1).
    'Connection: X-User-Id, x-tenant',
  ]
  const told = (lines: readonly string[]) => lines.filter(line => /^x.(user|tenant)/i.test(line))

  test.each<[unknown, boolean, string[]]>([
    [undefined, true, ['X-User-Id: alice', 'X-Tenant: acme']],
    [{ optional: true }, true, ['X-User-Id: alice', 'X-Tenant: acme']],
    [{ optional: true }, false, []],
    [false, true, []],
    [false, false, []],
  ])('is never the client’s word: route %j, with a token %j', async (route, withToken, expected) => {
    const { ask, backend } = await start(
      { jwt: { secret }, forwardHeaders },
      route === undefined ? {} : { auth: route },
    )
    const token = withToken ? [await bearer({ org: { tenant: 'acme' } })] : []
    expect(await ask([...token, ...forged])).toBe('200')
    expect(told(backend.only.lines)).toEqual(expected)
  })

  test.each([undefined, false])('nor is it in trailers: route %j', async route => {
    const { port, backend } = await start({ apiKeys, forwardHeaders }, route === undefined ? {} : { auth: route })
    const chunks = '1\r\na\r\n0\r\nX-User-Id: root\r\nX_Tenant: root\r\n\r\n'
    expect((await exchange(port, 'POST /', [asAlice, 'Transfer-Encoding: chunked'], chunks)).status).toBe(200)
    expect([backend.only.body, backend.only.trailers]).toEqual(['a', []])
  })

  test('nor is it where the token goes without the claim, or holds what no field can', async () => {
    const { ask, backend } = await start({ jwt: { secret }, forwardHeaders })
    expect(await ask([await bearer({ org: 'acme' }), ...forged])).toBe('200')
    expect(await ask([await bearer({ org: { tenant: 'a\r\nX-User-Id: root' } }), ...forged])).toBe('200')
    for (const { lines } of backend.requests) expect(told(lines)).toEqual(['X-User-Id: alice'])
  })

  test.each([
    ['zoë', Buffer.from('zoë').toString('latin1')],
    [7, '7'],
    [false, 'false'],
    [['a', 1], 'a,1'],
    [{ a: 1 }, '{"a":1}'],
    [null, undefined],
    ['', undefined],
    ['a\u0085b', undefined],
  ])('a claim %j is told as %j', async (tenant, expected) => {
    const { ask, backend } = await start({ jwt: { secret }, forwardHeaders: { 'X-Tenant': 'tenant' } })
    expect(await ask([await bearer({ tenant })])).toBe('200')
    expect(lineValues(backend.only.lines, 'x-tenant')[0]).toBe(expected)
  })

  test.each(['Host', 'authorization', 'Content-Length', 'X-A-B-C-D-E', 'a b'])('%s is no field for it', async name => {
    const refused = start({ jwt: { secret }, forwardHeaders: { [name]: 'sub' } })
    expect(await refused.then(() => 'started', String)).toMatch(/its name/)
  })

  test('a function works it out', async () => {
    const { ask, backend } = await start({
      jwt: { secret },
      forwardHeaders: { 'X-Who': ({ id, method }) => `${method} ${id}`, 'X-None': () => undefined },
    })
    expect(await ask([await bearer(), 'X-None: forged'])).toBe('200')
    expect(backend.only.lines.filter(line => /^x-(who|none)/i.test(line))).toEqual(['X-Who: jwt alice'])
  })

  test('an OPTIONS request that only looks like a preflight passes no forged field', async () => {
    const { ask, backend } = await start({ jwt: { secret }, forwardHeaders }, { auth: false })
    expect(await ask([...forged, 'Origin: x', 'Access-Control-Request-Method: GET'], 'OPTIONS /')).toBe('200')
    expect(told(backend.only.lines)).toEqual([])
  })
})

describe('the slot', () => {
  const reader = definePlugin({
    name: 'reader',
    stage: 'authorize',
    needs: [identity],
    setup: () => ({
      onRoute: () => ({ onRequest: ctx => ctx.headers.set('X-Who', ctx.get(identity).id) }),
    }),
  })

  test('is read by plugins and by hooks of a route', async () => {
    const backend = await recordingBackend()
    const seen: unknown[] = []
    const { port } = await startGateway(
      proxyTo(backend.origin, {
        plugins: [reader(), auth({ apiKeys })],
        route: { onFinish: (ctx: Context) => void seen.push(ctx.get(identity)) },
      }),
    )
    await exchange(port, 'GET /', [asBob])
    expect(lineValues(backend.only.lines, 'x-who')).toEqual(['bob'])
    const claims = { sub: 'bob', keyId: 'bob' }
    const bob = {
      id: 'bob',
      method: 'apiKey',
      scopes: ['read', 'write'],
      roles: ['editor'],
      claims,
      expiresAt: undefined,
    }
    await eventually(() => expect(seen).toEqual([bob]))
  })

  test('nobody who needs it is asked without it', async () => {
    const plugins = [reader(), auth({ apiKeys })]
    const routes = (own: unknown) => ({ a: { match: 'GET /', reply: { status: 200 }, auth: own } })
    await expect(createGateway({ plugins, routes: routes(false) }, { log: silentLog })).rejects.toThrow(/auth.identity/)
    const gateway = await createGateway({ plugins, routes: routes({ optional: true }) }, { log: silentLog })
    const response = await gateway.fetch('http://a.test/')
    expect([response.status, await response.json()]).toMatchObject([500, { code: 'GATEWAY_SLOT_UNSET' }])
    await gateway.close()
  })
})

test('a reload keeps fetched keys and remembered tokens, and ends with them', async () => {
  const pair = ecPair()
  const keys = await service(json({ keys: [pair.jwk('one')] }))
  const config = (more: object) => ({
    plugins: [auth({ jwt: { jwks: keys.url, ...more } })],
    routes: { a: { match: 'GET /', reply: { status: 200 } } },
  })
  const gateway = await createGateway(config({}), { log: silentLog })
  const headers = { authorization: `Bearer ${await sign(pair.privateKey, 'ES256', { aud: 'us' })}` }
  const ask = async () => (await gateway.fetch('http://a.test/', { headers })).status
  expect(await ask()).toBe(200)
  const before = gateway.shared.join()
  await gateway.reload(config({}))
  expect(gateway.shared.join()).toBe(before)
  expect(await ask()).toBe(200)
  // Other rules are other tokens, and the same keys.
  await gateway.reload(config({ audience: 'us' }))
  expect(await ask()).toBe(200)
  await gateway.reload(config({ audience: 'them' }))
  expect(await ask()).toBe(401)
  expect(keys.count).toBe(1)
  await gateway.close()
  expect(gateway.shared).toEqual([])
})

test('a reload with another secret ends what the old one verified', async () => {
  const config = (secret: string) => ({
    plugins: [auth({ jwt: { secret } })],
    routes: { a: { match: 'GET /', reply: { status: 200 } } },
  })
  const gateway = await createGateway(config(secret), { log: silentLog })
  const [, authorization = ''] = (await bearer()).split(': ')
  const ask = async () => (await gateway.fetch('http://a.test/', { headers: { authorization } })).status
  expect(await ask()).toBe(200)
  await gateway.reload(config(`another ${secret}`))
  expect(await ask()).toBe(401)
  expect(gateway.shared.join()).not.toContain(secret)
  await gateway.close()
})

test('closing does not wait for a source that hangs', async () => {
  const keys = await service(() => {})
  const gateway = await createGateway(
    {
      plugins: [auth({ jwt: { jwks: keys.url, timeout: '1h' } })],
      routes: { a: { match: 'GET /', reply: { status: 200 } } },
    },
    { log: silentLog },
  )
  await eventually(() => expect(keys.count).toBe(1))
  await gateway.close()
  expect(gateway.shared).toEqual([])
})
