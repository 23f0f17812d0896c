import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { makeFolder } from '../../../test/support/folder.ts'
import { translate } from '../src/index.ts'

const folder = makeFolder()

/** Nine lines, a service `s` and a rule `r`; sections begin in line 10. */
async function translated(sections: string, rule = '', variables: Readonly<Record<string, string>> = {}) {
  const file = join(folder, 'gateway.yaml')
  const text = `gateway:
  registry:
    static:
      services:
        - name: s
          instances: [{ address: 127.0.0.1, port: 3000 }]
  router:
    rules:
      - { id: r, path: /orders/*, serviceName: s${rule} }
${sections.replace(/^(?=.)/gm, '  ')}`
  writeFileSync(file, text)
  const { module, problems } = await translate(file, {
    names: Object.keys(variables),
    variable: name => variables[name],
    sawFile: () => {},
  })
  const told = problems.map(
    ({ line, column, severity, message, hint }) =>
      `${line}:${column} ${severity} ${message}${hint === undefined ? '' : ` [${hint}]`}`,
  )
  // On one line, without the indentation.
  return { told, code: (module?.code ?? '').replace(/,?\n\s*(?=[}\])])/g, ' ').replace(/\n\s*/g, ' ') }
}

describe('what sections come to', () => {
  const cases: readonly [string, string, string, readonly string[]][] = [
    [
      'a JWT by JWKS',
      'auth: { providers: [jwt], jwt: { enabled: true, jwksEndpoint: "https://k.example/keys", jwksCacheDuration: 60, cookieName: t } }',
      '',
      [
        "jwt: { algorithms: ['RS256'], jwks: 'https://k.example/keys', cacheFor: '60s', requireExpiry: false }",
        "token: { cookie: 't' }",
        "default: { optional: 'lenient' }",
      ],
    ],
    [
      'a key that wins over JWKS, ES256 and a lone audience',
      'auth: { required: true, jwt: { enabled: true, signingMethod: ES256, publicKeyFile: k.pem, jwksEndpoint: "https://k.example/", audience: a } }',
      '',
      ["jwt: { algorithms: ['ES256'], audience: ['a'], keyFiles: 'k.pem', requireExpiry: false }"],
    ],
    [
      'two issuers, one found by discovery',
      `auth: { jwt: { enabled: true, issuer: me, signingMethod: HS256, secret: "${'x'.repeat(32)}" } }
middleware: { auth: { oauth2: { enabled: true, requireScopes: [a], providers: [{ name: p, issuerUrl: "https://p.example", useDiscovery: true, audience: [b] }] } } }`,
      ', auth: { scopes: [c] }',
      [
        "{ issuer: 'https://p.example', audience: ['b'], discovery: true, requireExpiry: false }",
        "default: { scopes: ['a'] }",
        "auth: { scopes: ['a', 'c'] }",
      ],
    ],
    ['no auth without it', 'auth: { required: false, providers: [] }', '', ["match: 'ANY /orders/*' } }"]],
    [
      'a store in Redis, of its own or of the file',
      `redis: { host: r, port: 1, password: "\${P}", db: 2, readTimeout: 1 }
rateLimitStorage: { default: shared, stores: { shared: { type: redis }, other: { type: redis, redis: { addresses: ["o:2"], tls: { enabled: true, caFile: ca.pem } } } } }`,
      ', rateLimit: 5, rateLimitStorage: other',
      [
        "store: { redis: { url: 'redis://r:1', password: secret('P'), database: 2, timeout: '1s' } }",
        "stores: { other: { redis: { url: 'rediss://o:2', tls: { ca: secret.file('ca.pem') } } } }",
        "rateLimit: { limit: 5, window: '1s', scope: 'service', name: 'r', store: 'other' }",
      ],
    ],
    [
      'a limit of less than one a second',
      '',
      ', rateLimit: { requestsPerSecond: 0.5, burst: 3 }',
      ["rateLimit: { limit: 1, window: '2000ms', burst: 3, scope: 'service', name: 'r' }"],
    ],
    [
      'targets whose certificates are not verified, and others',
      'backend: { http: { tls: { enabled: true, insecureSkipVerify: true } } }',
      '',
      ['tls: { verify: false }'],
    ],
    ['any origin', 'cors: { enabled: true }', '', ["cors({ origins: '*', maxAge: '86400s' })"]],
    [
      'a circuit with the defaults of the Go program',
      'circuitBreaker: { enabled: true }',
      '',
      [
        "circuitBreaker: { failures: 5, minRequests: 5, window: '60s', openFor: '60s', maxOpenFor: '60s', trials: 1, closeAfter: 1 }",
      ],
    ],
    [
      'a circuit of a service, whose rules have none',
      'circuitBreaker: { enabled: true, services: { s: { maxFailures: 2, failureThreshold: 7 } } }',
      '',
      ["closeAfter: 1 } } }, routes: { r: { service: 's', match: 'ANY /orders/*' } }"],
    ],
    [
      'retries',
      'retry: { enabled: true, default: { maxAttempts: 4, initialDelay: 50, maxDelay: 20 } }',
      '',
      ["backoff: { base: '20ms', max: '20ms' }", 'budget: { ratio: 0.1 }', 'retry: { attempts: 4 }'],
    ],
    [
      'probes',
      'health: { enabled: true, unhealthyThreshold: 2, checks: { s: { type: grpc, config: { service: a.B } } } }',
      '',
      ["health: { grpc: 'a.B', interval: '30s', timeout: '5s', unhealthyAfter: 2, healthyAfter: 1, passive: false }"],
    ],
  ]
  test.each(cases)('%s', async (_name, sections, rule, expected) => {
    const { told, code } = await translated(`${sections}\n`, rule, { P: 'p' })
    expect(told).toEqual([])
    for (const part of expected) expect(code).toContain(part)
  })

  test.each([
    ['auth: { jwt: { enabled: false, secret: x } }', '@gateway/auth'],
    ['cors: { allowedOrigins: ["https://a.example"] }', '@gateway/cors'],
    ['retry: { default: { maxAttempts: 3 } }', '@gateway/resilience'],
    ['circuitBreaker: { default: { maxFailures: 3 } }', '@gateway/resilience'],
    ['health: { healthPath: /health }', '@gateway/health'],
    ['rateLimitStorage: { stores: { a: { type: redis } } }', '@gateway/ratelimit'],
  ])('%s is not enabled', async (sections, plugin) => {
    const { told, code } = await translated(`${sections}\n`)
    expect(told).toEqual([])
    expect(code).not.toContain(plugin)
  })

  test('a secret stays a variable, and a key is not there but by its hash', async () => {
    const { code } = await translated(
      `auth: { jwt: { enabled: true, signingMethod: HS256, secret: "\${S}" }, apikey: { enabled: true, keys: { a: { key: "\${K}" } } } }\n`,
      '',
      { S: 'x'.repeat(32), K: 'the key' },
    )
    expect(code).toContain("secret: secret('S')")
    expect(code).toContain("hash: keyHash(secret('K'))")
    expect(code).not.toContain('xxx')
    expect(code).not.toContain('the key')
  })
})

describe('problems', () => {
  const jwt = `jwt: { enabled: true, signingMethod: HS256, secret: "${'x'.repeat(32)}" }`
  const cases: readonly [string, string, string, readonly string[]][] = [
    [
      'credentials are asked for, and none are taken',
      'auth: { required: true }',
      '',
      ['10:21 error asks who calls, and there is no way to say so: enable jwt or apikey'],
    ],
    [
      'a rule asks for them, and none are taken',
      '',
      ', authRequired: true',
      ['9:65 error asks who calls, and there is no way to say so: give auth.jwt or auth.apikey'],
    ],
    [
      'HS256 without a secret',
      'auth: { jwt: { enabled: true, signingMethod: HS256 } }',
      '',
      ['10:16 error verifies HS256 and has no "secret"'],
    ],
    [
      'RS256 without a key',
      'auth: { jwt: { enabled: true } }',
      '',
      ['10:16 error verifies RS256 and has no "publicKey" nor "jwksEndpoint"'],
    ],
    [
      'an algorithm that there is not',
      'auth: { jwt: { enabled: true, signingMethod: RS265, publicKey: x } }',
      '',
      [
        '10:48 error must be one of RS256, RS384, RS512, HS256, HS384, HS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, not "RS265" [did you mean "RS256"?]',
      ],
    ],
    [
      'a short secret, keys over plain http',
      `auth: { jwt: { enabled: true, signingMethod: HS256, secret: x } }
middleware: { auth: { oauth2: { enabled: true, providers: [{ name: p, issuerUrl: i, jwksEndpoint: "http://k.example/" }] } } }`,
      '',
      [
        '10:63 warning is shorter than the 32 bytes that HS256 should have (RFC 7518)',
        '11:101 warning is plain http: who is on the way can exchange the keys; use https',
      ],
    ],
    [
      'a provider without keys',
      'middleware: { auth: { oauth2: { enabled: true, providers: [{ name: p, issuerUrl: i }] } } }',
      '',
      ['10:62 error has no keys to verify tokens with: give jwksEndpoint, or issuerUrl and useDiscovery'],
    ],
    [
      'a key that is no hash',
      'auth: { apikey: { enabled: true, hashKeys: true, keys: { a: { key: secret } } } }',
      '',
      [
        "10:70 error must be a SHA-256 in 64 hexadecimal digits, as hashKeys says [made by: printf %s 'the key' | sha256sum]",
      ],
    ],
    [
      'a key that is missing',
      'auth: { apikey: { enabled: true, keys: { a: { subject: s } } } }',
      '',
      ['10:47 error has no "key": The key, or by hashKeys its SHA-256 in hexadecimal digits.'],
    ],
    [
      'providers that are off or unknown',
      `auth: { providers: [jwt, apikey, ldap], ${jwt} }`,
      '',
      [
        '10:22 warning names "apikey", which is not enabled',
        '10:22 warning names "ldap", which is unknown: known: jwt, apikey',
      ],
    ],
    [
      'roles that are not there, a resource that nothing is',
      `auth: { ${jwt} }
middleware: { authz: { rbac: { enabled: true, policies: [{ name: p, roles: { a: { inherits: [b], permissions: [users:read] } }, bindings: { ada: [c] } }] } } }`,
      '',
      [
        '11:113 warning holds "users:read", and no rule has a service or a path "users" [a resource is a path: "/users*:read"]',
        '11:95 warning names the role "b", which is not in this policy',
        '11:148 warning names the role "c", which is not in this policy',
      ],
    ],
    [
      'paths without a slash, paths that need permission all the same',
      `auth: { required: true, skipPaths: ['', /a], ${jwt} }
middleware: { authz: { rbac: { enabled: true, skipPaths: [/a/b, /c], policies: [] } } }`,
      '',
      [
        '10:38 error holds "", which must begin with a slash',
        '11:60 warning is not done: who has to be known needs permission, too: name these paths in auth.skipPaths',
      ],
    ],
    [
      'a store that is not there',
      'rateLimitStorage: { stores: { shared: { type: redis } } }',
      ', rateLimit: 5, rateLimitStorage: shred',
      ['9:83 error there is no store "shred" [did you mean "shared"?]'],
    ],
    [
      'a cluster',
      'rateLimitStorage: { default: a, stores: { a: { type: redis, redis: { cluster: true } } } }',
      ', rateLimit: 5',
      ['10:81 warning is not done: one Redis is asked, no cluster and no sentinel: each gateway counts by itself'],
    ],
    ['a limit that is a time', '', ', rateLimit: 5/s', ['9:62 error must be a number, not "5/s"']],
    [
      'any origin with credentials',
      'cors: { enabled: true, allowedOrigins: ["*"], allowCredentials: true, optionsPassthrough: true, optionsSuccessStatus: 200 }',
      '',
      [
        '10:67 warning is not done: with the origin "*" any page could act in a user\'s name; list the origins, and credentials may go along',
        '10:93 warning is not done: preflights are answered here, and reach no upstream',
        '10:121 warning is not done: preflights are answered by 204',
      ],
    ],
    [
      'rules and services that are not there',
      `circuitBreaker: { enabled: true, routes: { rr: {} } }
retry: { enabled: true, services: { ss: {} }, default: { multiplier: 3 } }`,
      '',
      [
        '10:50 warning is for a rule "rr", which there is not [did you mean "r"?]',
        '11:43 warning is for a service "ss", which there is not [did you mean "s"?]',
        '11:72 warning is not done: each wait is twice as long as the one before',
      ],
    ],
    [
      'checks of what is no service, or by a program',
      `health: { enabled: true, healthPath: health, checks: { db: { type: tcp }, s: { type: exec, config: { command: x } } } }`,
      '',
      [
        '10:40 error must begin with a slash',
        '10:62 warning is not done: there is no service "db", and nothing but services is looked at',
        '10:113 warning is not done: the instances of the service are asked, at their own addresses',
        '10:88 warning is not done: no programs are run: instances are asked by http, tcp or grpc',
      ],
    ],
  ]
  test.each(cases)('%s', async (_name, sections, rule, expected) => {
    expect((await translated(`${sections}\n`, rule)).told).toEqual(expected)
  })
})
