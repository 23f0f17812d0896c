import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Secret } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { refusingOrigin } from '../../../test/support/upstream.ts'
import {
  b64,
  ecPair,
  edPair,
  json,
  type Pair,
  rsaPair,
  type Service,
  service,
  sign,
  tempFile,
  verifier,
} from './support.ts'

const one = ecPair()
const two = ecPair()
const set = (...pairs: [kid: string, pair: Pair][]) => json({ keys: pairs.map(([kid, pair]) => pair.jwk(kid)) })

/** A verifier with a clock of its own and a set of keys to fetch; the first fetch is over. */
async function remote(keys: Service, options: object = {}) {
  let now = 1_000_000_000_000
  const verify = verifier({ jwks: keys.url, requireExpiry: false, clockTolerance: 0, ...options }, () => now)
  /** Time passes, and what is due then is done. */
  const pass = async (ms: number) => {
    now += ms
    const before = keys.count
    await verify.host.tick()
    return () => keys.count - before
  }
  const token = (pair: Pair, kid?: string) =>
    sign(pair.privateKey, 'ES256', { exp: undefined, sub: 'alice' }, kid === undefined ? {} : { kid })
  const advance = (ms: number) => {
    now += ms
  }
  return { verify, pass, token, advance }
}

const hour = 3_600_000

describe('fetched keys', () => {
  test('are fetched once for all who wait', async () => {
    const keys = await service(set(['one', one]))
    const { verify, token } = await remote(keys)
    const mine = await token(one, 'one')
    expect(await Promise.all([verify(mine), verify(mine), verify(await token(one))])).toEqual([
      'alice',
      'alice',
      'alice',
    ])
    expect(keys.count).toBe(1)
  })

  test('are fetched anew before they expire; a key that is gone ends what it verified', async () => {
    const keys = await service(set(['one', one]))
    const { verify, pass, token } = await remote(keys)
    const mine = await token(one, 'one')
    expect(await verify(mine)).toBe('alice')
    const early = await pass(hour / 2)
    expect(early()).toBe(0)
    keys.answer = set(['two', two])
    const late = await pass(hour / 4)
    await eventually(() => expect(late()).toBe(1))
    await eventually(async () => expect(await verify(mine)).toBe('401 no key fits its signature'))
    expect(await verify(await token(two, 'two'))).toBe('alice')
  })

  test('stay in use while their source is down, for as long as is said, and then nobody is let in', async () => {
    const keys = await service(set(['one', one]))
    const { verify, pass, token } = await remote(keys, { staleFor: '2h', cooldown: '1s' })
    const mine = await token(one, 'one')
    expect(await verify(mine)).toBe('alice')
    keys.answer = (_request, response) => response.writeHead(500).end()
    const failing = await pass(2 * hour)
    await eventually(() => expect(failing()).toBe(1))
    await eventually(() => expect(verify.host.log.all.at(-1)?.fields.reason).toBe(`${keys.url}: answered 500`))
    expect(await verify(mine)).toBe('alice')
    await pass(hour)
    expect(await verify(mine)).toBe('alice')
    await pass(1)
    expect(await verify(mine)).toBe('503 there are no keys to verify it with')
    keys.answer = set(['one', one])
    await pass(1_000)
    await eventually(async () => expect(await verify(mine)).toBe('alice'))
  })

  test('an unknown kid asks once in a cool-down, however many come', async () => {
    const keys = await service(set(['one', one]))
    const { verify, advance, token } = await remote(keys)
    expect(await verify(await token(one, 'one'))).toBe('alice')
    advance(30_000)
    const strangers = await Promise.all(Array.from({ length: 20 }, (_, index) => token(two, `two-${index}`)))
    expect(new Set(await Promise.all(strangers.map(verify)))).toEqual(new Set(['401 no key fits its signature']))
    expect(keys.count).toBe(2)
    keys.answer = set(['one', one], ['two', two])
    const rotated = await token(two, 'two')
    expect(await verify(rotated)).toBe('401 no key fits its signature')
    expect(keys.count).toBe(2)
    advance(30_000)
    expect(await verify(rotated)).toBe('alice')
    expect(keys.count).toBe(3)
  })

  test('the same keys again leave verified tokens verified', async () => {
    const keys = await service(set(['one', one]))
    const { verify, pass, token } = await remote(keys)
    const mine = await token(one, 'one')
    await verify(mine)
    const counted = await pass(hour)
    await eventually(() => expect(counted()).toBe(1))
    expect(verify.remembers(mine)).toBe(true)
  })

  test.each<[string, Service['answer'], RegExp]>([
    ['lies about the type', (_request, response) => response.end('<html>'), /the answer is not JSON$/],
    ['answers an array', json([]), /the answer is not a JSON object$/],
    ['has no keys', json({}), /no usable key: key 1 /],
    ['has an empty set', json({ keys: [] }), /no usable key$/],
    ['has an object of keys', json({ keys: { one: 1 } }), /"keys" is not an array$/],
    [
      'has nothing but rubbish',
      json({ keys: [null, 7, 'x', {}, { kty: 'RSA', n: '!', e: '' }] }),
      /no usable key: key 1 is not an object/,
    ],
    ['has 300 keys', json({ keys: Array(300).fill(one.jwk()) }), /it has 300 keys, 256 are allowed$/],
    ['has a symmetric key', json({ keys: [{ kty: 'oct', k: b64('x'.repeat(64)) }] }), /is symmetric/],
    ['has a private key', json({ keys: [one.privateKey.export({ format: 'jwk' })] }), /is a private key/],
    ['answers 404', json({}, 404), /answered 404$/],
    [
      'sends elsewhere',
      (_request, response) => response.writeHead(302, { location: '/keys' }).end(),
      /answered 302, redirects are not followed$/,
    ],
    [
      'answers 10 MB',
      (_request, response) => void response.end(Buffer.alloc(10 * 1024 ** 2, ' ')),
      /more than 1048576 bytes$/,
    ],
    ['hangs', () => {}, /no answer within 50 ms$/],
    ['hangs in its body', (_request, response) => void response.writeHead(200).write('{'), /no answer within 50 ms$/],
    ['hangs up', request => request.socket.destroy(), /: (UND_ERR_SOCKET|ECONNRESET|other side closed)$/],
  ])(
    'a server that %s: 503 for clients, the reason for the operator, and what was there stays',
    async (_name, bad, reason) => {
      const keys = await service(bad)
      const slow = { timeout: bad.length === 0 || reason.source.includes('50 ms') ? 50 : '5s' }
      const { verify, advance, token } = await remote(keys, { jwks: `${keys.url}?code=s3cret`, ...slow })
      const mine = await token(one, 'one')
      expect(await verify(mine)).toBe('503 there are no keys to verify it with')
      const [line] = verify.host.log.all
      expect(line).toMatchObject({ level: 'warn', message: 'keys for tokens could not be fetched, there are none' })
      expect(line?.fields.reason).toMatch(reason)
      // It gets better, and worse again.
      keys.answer = set(['one', one])
      advance(30_000)
      expect(await verify(mine)).toBe('alice')
      keys.answer = bad
      advance(30_000)
      expect(await verify(await token(two, 'two'))).toBe('401 no key fits its signature')
      expect(verify.host.log.all.at(-1)?.message).toBe(
        'keys for tokens could not be fetched, those fetched before stay in use',
      )
      expect(await verify(mine)).toBe('alice')
      expect(JSON.stringify(verify.host.log.all)).not.toContain('s3cret')
    },
  )

  test('a server that is not there', async () => {
    const origin = await refusingOrigin()
    const verify = verifier({ jwks: `${origin}/keys?secret=1` })
    expect(await verify(await sign(one.privateKey, 'ES256'))).toBe('503 there are no keys to verify it with')
    expect(verify.host.log.all[0]?.fields.reason).toBe(`${origin}/keys: ECONNREFUSED`)
  })

  test('good keys of a set are used, whatever else is in it', async () => {
    const keys = await service(json({ keys: [null, { kty: 'XX' }, { ...two.jwk('enc'), use: 'enc' }, one.jwk('one')] }))
    const { verify, token } = await remote(keys)
    expect(await verify(await token(one, 'one'))).toBe('alice')
    expect(await verify(await token(two, 'enc'))).toBe('401 no key fits its signature')
  })
})

describe('discovery', () => {
  test('finds the keys, and their new place', async () => {
    const keys = await service(set(['one', one]))
    const newKeys = await service(set(['two', two]))
    const metadata = await service(() => {})
    const issuer = metadata.url
    metadata.answer = (request, response) => {
      expect(request.url).toBe('/it/.well-known/openid-configuration')
      json({ issuer, jwks_uri: keys.url })(request, response)
    }
    let now = Date.now()
    const verify = verifier({ discovery: true, issuer }, () => now)
    const mine = await sign(one.privateKey, 'ES256', { iss: issuer }, { kid: 'one' })
    expect(await verify(mine)).toBe('alice')
    expect(await verify(await sign(one.privateKey, 'ES256', { iss: 'x' }, { kid: 'one' }))).toBe(
      '401 its issuer is none of those configured',
    )
    metadata.answer = json({ issuer, jwks_uri: newKeys.url })
    now += 30_000
    expect(await verify(await sign(two.privateKey, 'ES256', { iss: issuer }, { kid: 'two' }))).toBe('alice')
    expect(await verify(mine)).toBe('401 no key fits its signature')
  })

  test.each([
    [
      { issuer: 'https://other.example', jwks_uri: 'https://keys.example' },
      /metadata of another issuer, "https:\/\/other.example"$/,
    ],
    [{ jwks_uri: 'https://keys.example' }, /metadata of another issuer, undefined$/],
    [{ issuer: 'us' }, /"jwks_uri" is no URL that may be asked: undefined$/],
    [{ issuer: 'us', jwks_uri: 'http://169.254.169.254/latest' }, /"jwks_uri" is no URL that may be asked/],
    [{ issuer: 'us', jwks_uri: 'file:///etc/passwd' }, /"jwks_uri" is no URL that may be asked/],
  ])('metadata %j is refused', async (document, reason) => {
    const metadata = await service(json(document))
    const verify = verifier({ discovery: metadata.url, issuer: 'us' })
    expect(await verify(await sign(one.privateKey, 'ES256', { iss: 'us' }))).toBe(
      '503 there are no keys to verify it with',
    )
    expect(verify.host.log.all[0]?.fields.reason).toMatch(reason)
  })
})

describe('keys in files', () => {
  test('a file that is replaced is followed, a bad one leaves the old keys, and the log says so once', async () => {
    const path = tempFile(one.pem, 'key.pem')
    const verify = verifier({ keyFiles: path })
    const [first, second] = [await sign(one.privateKey, 'ES256'), await sign(two.privateKey, 'ES256')]
    expect([await verify(first), await verify(second)]).toEqual(['alice', '401 no key fits its signature'])
    for (const bad of [
      '',
      'rubbish',
      '{"keys":[]}',
      one.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    ]) {
      writeFileSync(path, bad)
      await verify.host.tick()
      await verify.host.tick()
      expect(await verify(first), bad).toBe('alice')
    }
    rmSync(path)
    await verify.host.tick()
    await verify.host.tick()
    expect(await verify(first)).toBe('alice')
    const warnings = verify.host.log.all.filter(({ level }) => level === 'warn').map(({ fields }) => fields.reason)
    expect(warnings).toEqual([
      'it: there is neither a PEM block nor JSON',
      'it: there is no key',
      expect.stringContaining('is a private key'),
      'ENOENT',
    ])
    writeFileSync(`${path}.new`, JSON.stringify({ keys: [two.jwk('two')] }))
    renameSync(`${path}.new`, path)
    await verify.host.tick()
    expect([await verify(first), await verify(second)]).toEqual(['401 no key fits its signature', 'alice'])
  })

  test('a symlink that is swapped on the way, as Kubernetes does it', async () => {
    const [a, b] = [tempFile(one.pem, 'key.pem'), tempFile(two.pem, 'key.pem')]
    const link = join(dirname(a), '..data')
    symlinkSync(dirname(a), link)
    const verify = verifier({ keyFiles: join(link, 'key.pem') })
    const second = await sign(two.privateKey, 'ES256')
    expect(await verify(second)).toBe('401 no key fits its signature')
    symlinkSync(dirname(b), `${link}.new`)
    renameSync(`${link}.new`, link)
    await verify.host.tick()
    expect(await verify(second)).toBe('alice')
  })

  test('several PEM blocks, of each kind', async () => {
    const [rsa, ed, p384] = [rsaPair(), edPair(), ecPair('P-384')]
    const verify = verifier({ keyFiles: tempFile([rsa, ed, one, p384].map(({ pem }) => pem).join('\n'), 'keys.pem') })
    for (const [pair, alg] of [
      [rsa, 'RS256'],
      [rsa, 'RS512'],
      [rsa, 'PS384'],
      [ed, 'EdDSA'],
      [ed, 'Ed25519'],
      [one, 'ES256'],
      [p384, 'ES384'],
    ] as const) {
      expect(await verify(await sign(pair.privateKey, alg)), alg).toBe('alice')
    }
  })
})

describe('secrets', () => {
  const bytes = (text: string) => Buffer.from(text)
  const [old, fresh] = ['the old secret, as long as it has to be', 'the new secret, as long as it has to be']

  test('that rotate end what they verified', async () => {
    let text = old
    const verify = verifier({ secret: new Secret('it', () => text) })
    const mine = await sign(bytes(old), 'HS256')
    expect(await verify(mine)).toBe('alice')
    expect(verify.remembers(mine)).toBe(true)
    text = fresh
    expect(verify.remembers(mine)).toBe(false)
    expect(await verify(mine)).toBe('401 no key fits its signature')
    expect(await verify(await sign(bytes(fresh), 'HS256'))).toBe('alice')
    text = 'short'
    expect(await verify(await sign(bytes(fresh), 'HS256', { sub: 'bob' }))).toBe('bob')
    expect(JSON.stringify(verify.host.log.all)).not.toContain(fresh)
  })

  test('several, and how they are written', async () => {
    const both = verifier({ secret: [old, fresh] })
    expect(await both(await sign(bytes(old), 'HS256'))).toBe('alice')
    expect(await both(await sign(bytes(fresh), 'HS256'))).toBe('alice')
    expect(await both(await sign(bytes(`${fresh}${old}`), 'HS512'))).toBe('401 its algorithm "HS512" is not allowed')
    const encoded = verifier({ secret: bytes(old).toString('base64'), secretEncoding: 'base64' })
    expect(await encoded(await sign(bytes(old), 'HS256'))).toBe('alice')
    const short = verifier({ secret: 'short', allowShortSecret: true })
    expect(await short(await sign(bytes('short'), 'HS256'))).toBe('alice')
  })
})

describe('claims', () => {
  const secret = 'a secret that is longer than thirty-two bytes'
  const at = 1_800_000_000
  test.each<[object, object, string]>([
    [{ issuer: 'us' }, { iss: 'us' }, 'alice'],
    [{ issuer: ['us', 'me'] }, { iss: 'me' }, 'alice'],
    [{ issuer: 'us' }, { iss: 'us ' }, '401 its issuer is none of those configured'],
    [{ issuer: 'us' }, {}, '401 its issuer is none of those configured'],
    [{ issuer: 'us' }, { iss: ['us'] }, '401 its issuer is none of those configured'],
    [{ audience: 'us' }, { aud: 'us' }, 'alice'],
    [{ audience: ['me', 'us'] }, { aud: ['them', 'us'] }, 'alice'],
    [{ audience: 'us' }, { aud: ['them'] }, '401 unexpected "aud" claim value'],
    [{ audience: 'us' }, {}, '401 missing required "aud" claim'],
    [{ requiredClaims: ['tenant'] }, { tenant: 1 }, 'alice'],
    [{ requiredClaims: ['tenant'] }, {}, '401 missing required "tenant" claim'],
    [{ clockTolerance: '10s' }, { exp: at - 9 }, 'alice'],
    [{ clockTolerance: '10s' }, { exp: at - 10 }, '401 "exp" claim timestamp check failed'],
    [{ clockTolerance: '10s' }, { nbf: at + 10 }, 'alice'],
    [{ clockTolerance: '10s' }, { nbf: at + 11 }, '401 "nbf" claim timestamp check failed'],
    [{ requireExpiry: false }, { exp: undefined }, 'alice'],
    [{}, { exp: undefined }, '401 missing required "exp" claim'],
    [{ maxAge: '1h', clockTolerance: 0 }, { iat: at - 3600 }, 'alice'],
    [
      { maxAge: '1h', clockTolerance: 0 },
      { iat: at - 3601 },
      '401 "iat" claim timestamp check failed (too far in the past)',
    ],
    [{ maxAge: '1h' }, {}, '401 missing required "iat" claim'],
    [{ subjectClaim: 'user.id' }, { user: { id: 'bob' } }, 'bob'],
    [{ subjectClaim: 'https://us.example/id' }, { 'https://us.example/id': 'bob' }, 'bob'],
  ])('%j, %j: %s', async (options, claims, expected) => {
    const verify = verifier({ secret, ...options }, () => at * 1000)
    expect(await verify(await sign(Buffer.from(secret), 'HS256', { exp: at + 60, ...claims }))).toBe(expected)
  })

  test('typ, when it is asked for', async () => {
    const verify = verifier({ secret, type: 'at+jwt' })
    expect(await verify(await sign(Buffer.from(secret), 'HS256', {}, { typ: 'at+jwt' }))).toBe('alice')
    expect(await verify(await sign(Buffer.from(secret), 'HS256', {}, { typ: 'JWT' }))).toMatch(/"typ"/)
  })

  test('a token that is remembered ends with its exp or its age, the tolerance included', async () => {
    let now = at * 1000
    for (const [options, claims, lasts] of [
      [{ clockTolerance: '2s' }, { exp: at + 10 }, 12_000],
      [{ clockTolerance: 0, maxAge: '5s' }, { exp: at + 10, iat: at }, 5_000],
    ] as const) {
      now = at * 1000
      const verify = verifier({ secret, ...options }, () => now)
      const token = await sign(Buffer.from(secret), 'HS256', claims)
      expect(await verify(token)).toBe('alice')
      now += lasts - 1
      expect(verify.remembers(token)).toBe(true)
      now += 1
      expect(verify.remembers(token)).toBe(false)
      // What verifies counts in whole seconds.
      now += 1000
      expect(await verify(token)).toMatch(/^401 "(exp|iat)" claim/)
    }
  })
})
