import { describe, expect, test } from 'vitest'
import { Secret } from '../config/environment/secret.ts'
import { redact } from './redact.ts'

describe('secrets', () => {
  test.each([
    'secret',
    'password',
    'token',
    'apiKey',
    'APIKey',
    'api_key',
    'X-API-Key',
    'key',
    'keys',
    'clientSecret',
    'client_secret',
    'Authorization',
    'proxy-authorization',
    'set-cookie',
    'accessToken',
    'refresh_tokens',
    'privateKey',
    'credentials',
    'passphrase',
  ])('%s', name => {
    expect(redact({ [name]: 'x' })).toEqual({ [name]: '[redacted]' })
    expect(redact(new Map([[name, 'x']]))).toEqual({ [name]: '[redacted]' })
  })

  test('a Secret shows its name, whatever its key', () => {
    const given = new Secret('NAME', () => 'x')
    expect(redact({ token: given, other: [given] })).toEqual({ token: '[secret NAME]', other: ['[secret NAME]'] })
  })

  test.each(['keyId', 'tokenUrl', 'monkey', 'publicKey', 'public_key', 'jwks', 'cert', 'name', 'secretary'])(
    '%s is none',
    name => {
      expect(redact({ [name]: 'x' })).toEqual({ [name]: 'x' })
    },
  )

  test('everything below such a key, but what can be none', () => {
    expect(redact({ keys: ['a', { kid: 'b', n: 3, on: true, none: null }], password: 1234 })).toEqual({
      keys: ['[redacted]', { kid: '[redacted]', n: '[redacted]', on: true, none: null }],
      password: '[redacted]',
    })
    expect(redact({ key: new Uint8Array(3), secret: /x/, token: new Set(['a']) })).toEqual({
      key: '[redacted]',
      secret: '[redacted]',
      token: ['[redacted]'],
    })
    expect(redact({ token: () => 'x' })).toEqual({ token: '[function token]' })
  })

  test('pairs of name and value', () => {
    expect(
      redact([
        { name: 'X-Api-Key', value: 'x' },
        { name: 'token', pattern: /x/ },
        { name: 'accept', value: 'x' },
      ]),
    ).toEqual([
      { name: 'X-Api-Key', value: '[redacted]' },
      { name: 'token', pattern: '[redacted]' },
      { name: 'accept', value: 'x' },
    ])
  })

  test('in URLs', () => {
    const both = 'redis://:p@ss@one:6379,postgres://me:pass@two/db'
    expect(redact(both)).toBe('redis://:[redacted]@one:6379,postgres://me:[redacted]@two/db')
    expect(redact('https://a.test/?a=1&access_token=x#y')).toBe('https://a.test/?a=1&access_token=[redacted]#y')
    expect(redact(new URL('https://a:b@c.test/'))).toBe('https://a:[redacted]@c.test/')
    expect(redact('http://127.0.0.1:3001/a@b')).toBe('http://127.0.0.1:3001/a@b')
  })
})

test('what JSON cannot show', () => {
  class Store {}
  const circle: Record<string, unknown> = { name: 'circle' }
  circle.self = circle
  const shared = { a: 1 }
  expect(
    redact({
      pattern: /a+/i,
      hook: function hook() {},
      nameless: [() => {}],
      when: new Date(0),
      list: new Set([1, new Set(['a'])]),
      table: new Map([[1, { a: /b/ }]]),
      big: 3n,
      endless: Number.POSITIVE_INFINITY,
      store: new Store(),
      bytes: new Uint8Array(4),
      bare: Object.assign(Object.create(null), { a: 1 }),
      circle,
      twice: [shared, shared],
    }),
  ).toEqual({
    pattern: '/a+/i',
    hook: '[function hook]',
    nameless: ['[function]'],
    when: '1970-01-01T00:00:00.000Z',
    list: [1, ['a']],
    table: [[1, { a: '/b/' }]],
    big: '3',
    endless: 'Infinity',
    store: '[Store]',
    bytes: '[4 bytes]',
    bare: { a: 1 },
    circle: { name: 'circle', self: '[circular]' },
    twice: [{ a: 1 }, { a: 1 }],
  })
})

test('a private key is a secret wherever it stands', () => {
  const key = '-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----'
  const certificate = '-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n'
  expect(redact({ cert: `${certificate}${key}\n` })).toEqual({ cert: `${certificate}[redacted]\n` })
  expect(redact('-----BEGIN PRIVATE KEY-----\nabc')).toBe('[redacted]')
})

test.each([
  ['$scrypt$ln=15,r=8,p=3$c29tZSBzYWx0IGhlcmU$aGFzaA+/x', '[redacted]'],
  ['alice:$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW', 'alice:[redacted]'],
  ['$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA', '[redacted]'],
  ['Basic dXNlcjpwYXNzd29yZA==', 'Basic [redacted]'],
  ['bearer abcDEF123-_.~+/=', 'bearer [redacted]'],
  ['Basic authentication', 'Basic authentication'],
  ['Bearer realm="gateway"', 'Bearer realm="gateway"'],
  ['$1 costs $2b$', '$1 costs $2b$'],
])('%s shows as %s, whatever its key', (text, shown) => {
  expect(redact({ hash: text })).toEqual({ hash: shown })
})

test('with a digest, what is not shown can be told from something else', () => {
  const digest = (text: string) => `#${text.length}`
  expect(
    redact(
      {
        password: 'abc',
        url: 'http://me:abcd@a.test/?token=ab',
        hook: function hook() {},
        bytes: new Uint8Array(2),
        token: new Uint8Array(7),
        plain: 'abc',
        // Where it comes from is the config; what it is now is not.
        other: new Secret('NAME', () => 'x'),
      },
      digest,
    ),
  ).toEqual({
    password: '[redacted #3]',
    url: 'http://me:[redacted #4]@a.test/?token=[redacted #2]',
    hook: expect.stringMatching(/^\[function hook #\d+\]$/),
    bytes: '[2 bytes #2]',
    token: '[redacted #7]',
    plain: 'abc',
    other: '[secret NAME]',
  })
})
