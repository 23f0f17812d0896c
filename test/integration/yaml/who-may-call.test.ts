import { createHash, createHmac, createSign, generateKeyPairSync } from 'node:crypto'
import { describe, expect, test, vi } from 'vitest'
import { lineValue } from '../../support/message.ts'
import { startUpstream } from '../../support/upstream.ts'
import { startBackend } from './backend.ts'
import { type Parts, startYaml } from './yaml-file.ts'

const secret = 'a secret of thirty-two bytes, it is'
const base64 = (data: object) => Buffer.from(JSON.stringify(data)).toString('base64url')

function hmacToken(claims: object, key = secret): string {
  const signed = `${base64({ alg: 'HS256', typ: 'JWT' })}.${base64(claims)}`
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`
}
const bearer = (token: string) => [`Authorization: Bearer ${token}`]

const jwt = `
  jwt: { enabled: true, signingMethod: HS256, secret: "${secret}", issuer: me, audience: api }
`
const good = { sub: 'ada', iss: 'me', aud: ['api', 'other'], scope: 'read write' }

async function started(sections: string, rules = '- { id: a, path: /*, serviceName: s }\n', more: Partial<Parts> = {}) {
  return startYaml({ services: { s: [await startBackend('s')] }, rules, sections, ...more })
}

describe('auth', () => {
  test('a JWT is verified: 401 without or with a bad one, by signature, issuer and audience; exp need not be there', async () => {
    const { ask, status } = await started(`auth:\n  required: true\n  providers: [jwt]${jwt}`)
    const refused = await ask('GET /x')
    expect(refused.status).toBe(401)
    expect(lineValue(refused.lines, 'www-authenticate')).toMatch(/^Bearer realm=/)
    expect(await status('GET /x', bearer(hmacToken(good)))).toBe(200)
    expect(await status('GET /x', bearer(hmacToken(good, 'another')))).toBe(401)
    expect(await status('GET /x', bearer(hmacToken({ ...good, iss: 'you' })))).toBe(401)
    expect(await status('GET /x', bearer(hmacToken({ ...good, aud: 'other' })))).toBe(401)
    expect(await status('GET /x', bearer(hmacToken({ ...good, exp: 1 })))).toBe(401)
  })

  test('not required, everybody passes but where a rule asks: required, by scopes, by a kind', async () => {
    const { status } = await started(
      `auth:\n  providers: [jwt, apikey]${jwt}  apikey: { enabled: true, keys: { ci: { key: s3, scopes: [read] } } }\n`,
      `
- { id: any, path: /any, serviceName: s }
- { id: required, path: /required, serviceName: s, authRequired: true }
- { id: write, path: /write, serviceName: s, auth: { required: true, scopes: [write] } }
- { id: noted, path: /noted, serviceName: s, metadata: { requiredScopes: [admin], owner: ada } }
- { id: jwt, path: /jwt, serviceName: s, authRequired: true, authType: jwt }
`,
    )
    const key = ['X-API-Key: s3']
    const token = bearer(hmacToken(good))
    const paths = ['/any', '/required', '/write', '/noted', '/jwt']
    const statuses = (lines: string[]) => Promise.all(paths.map(path => status(`GET ${path}`, lines)))
    expect(await statuses([])).toEqual([200, 401, 401, 401, 401])
    expect(await statuses(bearer('no.such.token'))).toEqual([200, 401, 401, 401, 401])
    expect(await statuses(token)).toEqual([200, 200, 200, 403, 200])
    expect(await statuses(key)).toEqual([200, 200, 403, 403, 401])
  })

  test('API keys: plain, hashed, with a scheme; default scopes; disabled and expired ones', async () => {
    vi.stubEnv('KEY_OF_CI', 'from the environment')
    const hashed = createHash('sha256').update('hashed').digest('hex').toUpperCase()
    const keys = (entries: string) => `auth:
  required: true
  requiredScopes: [api]
  apikey:
    enabled: true
    scheme: ApiKey
    defaultScopes: [api]
    ${entries}
`
    const plain = await started(
      keys(
        `keys: { ci: { key: '\${KEY_OF_CI}' }, off: { key: b, disabled: true }, old: { key: c, expiresAt: '2020-01-01T00:00:00Z' } }`,
      ),
    )
    vi.unstubAllEnvs()
    expect(await plain.status('GET /', ['X-API-Key: from the environment'])).toBe(200)
    expect(await plain.status('GET /', ['Authorization: apikey from the environment'])).toBe(200)
    expect(await plain.status('GET /', ['X-API-Key: b'])).toBe(401)
    expect(await plain.status('GET /', ['X-API-Key: c'])).toBe(401)
    const other = await started(keys(`hashKeys: true\n    headerName: X-Key\n    keys: { ci: { key: ${hashed} } }`))
    expect(await other.status('GET /', ['X-Key: hashed'])).toBe(200)
    expect(await other.status('GET /', [`X-Key: ${hashed}`])).toBe(401)
  })

  test('skipPaths: beginnings of paths; a rule that takes more has the rest closed; what a rule says goes before', async () => {
    const { status } = await started(
      `auth:\n  required: true\n  skipPaths: [/public/, /health, '/docs/*', /a/free]${jwt}`,
      `
- { id: all, path: /*, serviceName: s }
- { id: posts, path: /posts, methods: [POST], serviceName: s }
- { id: healthz, path: /healthz, serviceName: s }
- { id: docs, path: /docs/*, serviceName: s }
- { id: two, path: '/a/:b/:c', serviceName: s }
- { id: keys, path: /public/keys, serviceName: s, authRequired: true }
`,
    )
    for (const path of ['/public/a', '/public/a/b', '/health', '/health/live', '/healthz', '/docs/a', '/a/free/c'])
      expect(await status(`GET ${path}`), path).toBe(200)
    for (const path of ['/', '/public', '/healthy', '/public/keys', '/a/b/c', '/a/freely/c'])
      expect(await status(`GET ${path}`), path).toBe(401)
    expect(await status('POST /posts')).toBe(401)
  })
})

describe('OAuth2', () => {
  test('tokens of a provider by its JWK Set, from a cookie too; scopes are asked for', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', use: 'sig' }] }
    const provider = await startUpstream((_request, response) => response.end(JSON.stringify(jwks)))
    const tokenOf = (claims: object) => {
      const signed = `${base64({ alg: 'RS256', kid: 'k' })}.${base64(claims)}`
      return `${signed}.${createSign('sha256').update(signed).sign(privateKey, 'base64url')}`
    }
    const { status } = await started(`middleware:
  auth:
    oauth2:
      enabled: true
      requireScopes: [read]
      tokenCookie: token
      providers:
        - { name: p, clientId: c, issuerUrl: 'https://p.example', jwksEndpoint: '${provider.origin}/keys' }
`)
    const token = tokenOf({ sub: 'ada', iss: 'https://p.example', scope: 'read' })
    expect(await status('GET /')).toBe(401)
    expect(await status('GET /', bearer(token))).toBe(200)
    expect(await status('GET /', [`Cookie: token=${token}`])).toBe(200)
    expect(await status('GET /', bearer(tokenOf({ sub: 'ada', iss: 'https://p.example', scope: 'write' })))).toBe(403)
    expect(await status('GET /', bearer(tokenOf({ sub: 'ada', iss: 'https://q.example', scope: 'read' })))).toBe(401)
  })
})

describe('RBAC', () => {
  const rules = `
- { id: orders, path: /api/orders/*, serviceName: s }
- { id: users, path: /api/users, serviceName: s }
- { id: health, path: /health, serviceName: s }
`
  const rbac = (more: string) => `auth:${jwt}middleware:
  authz:
    rbac:
      enabled: true
      skipPaths: [/health]
      ${more}
      policies:
        - name: shop
          roles:
            reader: { name: reader, permissions: ['orders:read'] }
            clerk: { name: clerk, inherits: [reader], permissions: ['/api/orders/*:create'] }
          bindings: { ada: [clerk], bob: [reader] }
        - name: people
          roles: { reader: { name: reader, permissions: ['/api/users:read'] } }
          bindings: { eve: [reader] }
`
  const as = (sub: string) => bearer(hmacToken({ ...good, sub }))

  test('roles permit, also what they inherit; roles of one name in two policies are two', async () => {
    const { status } = await started(rbac(''), rules)
    const asked = ['GET /api/orders/1', 'POST /api/orders/1', 'DELETE /api/orders/1', 'GET /api/users', 'GET /health']
    const statuses = (lines?: string[]) => Promise.all(asked.map(request => status(request, lines)))
    expect(await statuses()).toEqual([401, 401, 401, 401, 200])
    expect(await statuses(as('ada'))).toEqual([200, 200, 403, 403, 200])
    expect(await statuses(as('bob'))).toEqual([200, 403, 403, 403, 200])
    expect(await statuses(as('eve'))).toEqual([403, 403, 403, 200, 200])
  })

  test('permissive refuses nobody who is known', async () => {
    const { status } = await started(rbac('enforcementMode: permissive'), rules)
    expect(await status('DELETE /api/orders/1', as('bob'))).toBe(200)
  })
})

describe('CORS', () => {
  const preflight = (origin: string) => [`Origin: ${origin}`, 'Access-Control-Request-Method: PUT']

  test('a preflight is answered before auth, by the list; answers are marked', async () => {
    const { ask } = await started(`auth:\n  required: true${jwt}cors:
  enabled: true
  allowedOrigins: [https://a.example]
  allowedMethods: [GET, PUT]
  allowCredentials: true
  maxAge: 60
`)
    const allowed = await ask('OPTIONS /x', preflight('https://a.example'))
    expect(allowed.status).toBe(204)
    expect(lineValue(allowed.lines, 'access-control-allow-origin')).toBe('https://a.example')
    expect(lineValue(allowed.lines, 'access-control-allow-methods')).toBe('GET, PUT')
    expect(lineValue(allowed.lines, 'access-control-allow-credentials')).toBe('true')
    expect(lineValue(allowed.lines, 'access-control-max-age')).toBe('60')
    const other = await ask('OPTIONS /x', preflight('https://b.example'))
    expect(lineValue(other.lines, 'access-control-allow-origin')).toBeUndefined()
    const answer = await ask('GET /x', ['Origin: https://a.example', ...bearer(hmacToken(good))])
    expect([answer.status, lineValue(answer.lines, 'access-control-allow-origin')]).toEqual([200, 'https://a.example'])
  })

  test('any origin is never one that may bring credentials', async () => {
    const { ask } = await started('cors: { enabled: true, allowCredentials: true }\n')
    const { lines } = await ask('OPTIONS /x', preflight('https://a.example'))
    expect(lineValue(lines, 'access-control-allow-origin')).toBe('*')
    expect(lineValue(lines, 'access-control-allow-credentials')).toBeUndefined()
    expect(lineValue(lines, 'access-control-max-age')).toBe('86400')
  })
})
