import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { b64, ecPair, json, rsaPair, service, sign, start, tempFile, verifier } from './support.ts'

const rsa = rsaPair()
const secret = 'a secret that is longer than thirty-two bytes'
const exp = Math.floor(Date.now() / 1000) + 3600

/** Signed with HMAC, whatever the header says. */
function hmacToken(key: string | Buffer, header: unknown, claims: unknown): string {
  const input = `${b64(header)}.${b64(claims)}`
  return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`
}

describe('algorithms', () => {
  test.each(['none', 'None', 'nOnE', '', 'HS256 ', 'hs256', 'constructor', '__proto__'])('%j is refused', async alg => {
    const verify = verifier({ secret })
    expect(await verify(hmacToken(secret, { alg }, { sub: 'alice', exp }))).toMatch(
      /^401 its algorithm .* is not allowed$/,
    )
    // An empty signature is no part at all.
    expect(await verify(`${b64({ alg })}.${b64({ sub: 'alice', exp })}.`)).toBe(
      '401 it is not three parts of base64url',
    )
  })

  test('outside the list are refused, good as the signature is', async () => {
    const verify = verifier({ keys: rsa.pem, algorithms: ['PS256'] })
    expect(await verify(await sign(rsa.privateKey, 'PS256'))).toBe('alice')
    expect(await verify(await sign(rsa.privateKey, 'RS256'))).toBe('401 its algorithm "RS256" is not allowed')
  })

  test('a public key is never an HMAC secret, also where both kinds are allowed', async () => {
    const forms = [
      rsa.pem,
      rsa.pem.trim(),
      JSON.stringify(rsa.jwk()),
      rsa.publicKey.export({ type: 'spki', format: 'der' }),
    ]
    for (const verify of [
      verifier({ keys: rsa.pem }),
      verifier({ keys: rsa.pem, algorithms: ['RS256'] }),
      verifier({ keys: rsa.pem, secret, algorithms: ['RS256', 'HS256'] }),
    ]) {
      for (const form of forms) {
        const forged = hmacToken(form, { alg: 'HS256' }, { sub: 'alice', exp })
        expect(await verify(forged)).toMatch(/^401 (its algorithm "HS256" is not allowed|no key fits its signature)$/)
      }
    }
  })

  test('a token says RS256 and is signed with HMAC, or ES256 with an RSA key', async () => {
    const verify = verifier({ keys: rsa.pem })
    expect(await verify(hmacToken(rsa.pem, { alg: 'RS256' }, { sub: 'alice', exp }))).toBe(
      '401 no key fits its signature',
    )
    expect(await verify(await sign(ecPair().privateKey, 'ES256'))).toBe('401 no key fits its signature')
  })

  test('an ECDSA signature of zeros (CVE-2022-21449)', async () => {
    const ec = ecPair()
    const forged = `${b64({ alg: 'ES256' })}.${b64({ sub: 'alice', exp })}.${Buffer.alloc(64).toString('base64url')}`
    expect(await verifier({ keys: ec.pem })(forged)).toBe('401 no key fits its signature')
  })

  test('an HMAC of the empty key', async () => {
    expect(await verifier({ keys: rsa.pem })(hmacToken('', { alg: 'HS256' }, { sub: 'alice', exp }))).toMatch(/^401 /)
    expect(await verifier({ secret })(hmacToken('', { alg: 'HS256' }, { sub: 'alice', exp }))).toMatch(/^401 /)
  })
})

describe('keys that a token brings along or points at', () => {
  test.each(['jku', 'x5u'])('%s is not asked', async name => {
    const evil = rsaPair()
    const set = await service(json({ keys: [evil.jwk('evil')] }))
    const verify = verifier({ keys: rsa.jwk('good') })
    expect(await verify(await sign(evil.privateKey, 'RS256', {}, { kid: 'evil', [name]: set.url }))).toMatch(/^401 /)
    expect(await verify(await sign(evil.privateKey, 'RS256', {}, { kid: 'good', [name]: set.url }))).toMatch(/^401 /)
    expect(set.count).toBe(0)
  })

  test('jwk and x5c are not used', async () => {
    const evil = rsaPair()
    const verify = verifier({ keys: rsa.jwk('good') })
    const der = evil.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
    for (const header of [{ jwk: evil.jwk() }, { jwk: evil.jwk('good'), kid: 'good' }, { x5c: [der] }]) {
      expect(await verify(await sign(evil.privateKey, 'RS256', {}, header))).toBe('401 no key fits its signature')
    }
  })

  test.each([
    '../../../../dev/null',
    '/etc/passwd',
    "x' UNION SELECT 'key",
    '__proto__',
    'constructor',
    'good\u0000',
    'https://evil.example/keys',
    '',
  ])('kid %j names no key', async kid => {
    const verify = verifier({ keys: rsa.jwk('good') })
    expect(await verify(hmacToken('', { alg: 'HS256', kid }, { sub: 'alice', exp }))).toMatch(/^401 /)
    expect(await verify(await sign(rsa.privateKey, 'RS256', {}, { kid }))).toBe('401 no key fits its signature')
  })

  test.each([[7], [null], [['good']], [{ good: true }]])('kid %j is not a name', async kid => {
    const verify = verifier({ secret })
    expect(await verify(hmacToken(secret, { alg: 'HS256', kid }, { sub: 'alice', exp }))).toBe(
      '401 the "kid" in its header is not a string',
    )
  })

  test('crit and b64 are understood as RFC 7515 and RFC 7797 have them, or the token refused', async () => {
    const verify = verifier({ secret })
    for (const header of [{ crit: ['exp2'], exp2: 1 }, { crit: [] }, { crit: 'b64' }, { crit: ['b64'], b64: false }]) {
      expect(await verify(hmacToken(secret, { alg: 'HS256', ...header }, { sub: 'alice', exp }))).toMatch(/^401 /)
    }
  })
})

describe('encodings', () => {
  test('claims and headers with a member twice are refused, however it is written', async () => {
    const verify = verifier({ secret })
    const claims = `{"sub":"alice","exp":${exp}`
    for (const text of [
      `${claims},"sub":"root"}`,
      `${claims},"\\u0073ub":"root"}`,
      `${claims},"a":[{"b":1,"b":2}]}`,
      `${claims} , "exp" :9999999999}`,
    ]) {
      expect(await verify(hmacToken(secret, { alg: 'HS256' }, text))).toBe('401 its claims have a member twice')
    }
    expect(await verify(hmacToken(secret, '{"alg":"none","alg":"HS256"}', `${claims}}`))).toBe(
      '401 its header has a member twice',
    )
    // These only look like it.
    const fine = `${claims},"a":{"sub":"x"},"b":[{"c":1},{"c":1}],"d":"\\"sub\\":","e":"sub"}`
    expect(await verify(hmacToken(secret, { alg: 'HS256' }, fine))).toBe('alice')
  })

  test('one token has one spelling', async () => {
    const verify = verifier({ secret })
    const token = await sign(Buffer.from(secret), 'HS256')
    expect(await verify(token)).toBe('alice')
    const last = token.at(-1) ?? ''
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    // 32 bytes leave two bits over, so that four last characters stand for the same signature.
    const twin = token.slice(0, -1) + alphabet[alphabet.indexOf(last) + 1]
    expect(Buffer.from(twin.split('.')[2] ?? '', 'base64url')).toEqual(
      Buffer.from(token.split('.')[2] ?? '', 'base64url'),
    )
    for (const other of [
      twin,
      `${token}=`,
      `${token}==`,
      token.replace('.', '=.'),
      token.replaceAll('.', '..'),
      `${token}.`,
      `.${token}`,
      `${token}.${token}`,
      token.slice(0, -1),
      token.slice(0, -8),
      token.slice(0, token.lastIndexOf('.')),
      token.slice(0, token.lastIndexOf('.') + 1),
      token.slice(1),
      token.replace('.', '. '),
      token.replace('.', '%2E'),
      `${token}\u00e9`,
      '..',
      '',
    ]) {
      expect(await verify(other), JSON.stringify(other)).toMatch(/^401 /)
    }
  })

  test.each([
    ['its header is not JSON', 'x'],
    ['its header is not a JSON object', '[]'],
    ['its header is not a JSON object', 'null'],
    ['its header has no "alg"', '{}'],
    ['its header has no "alg"', '{"alg":["HS256"]}'],
    ['its header is not JSON', '{"alg":"HS256"'],
  ])('%s: %s', async (reason, header) => {
    expect(await verifier({ secret })(hmacToken(secret, header, { sub: 'alice', exp }))).toBe(`401 ${reason}`)
  })

  test.each([
    [{ exp }, 'its claim "sub" is no text'],
    [{ sub: '', exp }, 'its claim "sub" is no text'],
    [{ sub: ['alice'], exp }, 'its claim "sub" is no text'],
    [{ sub: 'alice' }, 'missing required "exp" claim'],
    [{ sub: 'alice', exp: String(exp) }, /"exp"/],
    [{ sub: 'alice', exp: null }, /"exp"/],
    [{ sub: 'alice', exp, nbf: 'now' }, /"nbf"/],
    [{ sub: 'alice', exp, nbf: exp }, /"nbf"/],
    [[], /Claims Set/],
    ['"alice"', /Claims Set/],
    ['nothing', /Claims Set/],
  ])('claims %j are refused', async (claims, reason) => {
    const told = await verifier({ secret })(hmacToken(secret, { alg: 'HS256' }, claims))
    expect(told).toMatch(/^401 /)
    expect(told).toMatch(reason)
  })
})

describe('over HTTP', () => {
  test('an enormous token costs little and is refused', async () => {
    const { ask, log } = await start({ jwt: { secret } }, {}, { listen: { limits: { headSize: '1mb' } } })
    const token = await sign(Buffer.from(secret), 'HS256', { filler: 'x'.repeat(500_000) })
    expect(await ask([`Authorization: Bearer ${token}`])).toBe('401 AUTH_INVALID')
    expect(log.all.find(({ message }) => message === 'credentials were refused')?.fields.reason).toMatch(
      /8192 are allowed/,
    )
  })

  test('two tokens in one request are none', async () => {
    const { ask } = await start({ jwt: { secret } })
    const token = await sign(Buffer.from(secret), 'HS256')
    expect(await ask([`Authorization: Bearer ${token}`])).toBe('200')
    expect(await ask([`Authorization: Bearer ${token}`, `Authorization: Bearer ${token}`])).toBe('401 AUTH_INVALID')
    expect(await ask([`Authorization: Bearer ${token}, Bearer ${token}`])).toBe('401 AUTH_INVALID')
  })

  test('what is answered tells nothing of why, the log does, and neither shows the token', async () => {
    const { send, log } = await start({ jwt: { secret, audience: 'us' } })
    const answers = new Set<string>()
    for (const token of [
      await sign(Buffer.from(secret), 'HS256', { aud: 'them' }),
      await sign(Buffer.from('another secret of more than 32 bytes'), 'HS256'),
      await sign(Buffer.from(secret), 'HS256', { aud: 'us', exp: 1 }),
      'rubbish',
    ]) {
      const { body, head } = await send([`Authorization: Bearer ${token}`, 'X-Request-ID: one'])
      answers.add(body + head.replace(/^date:.*$/im, ''))
      expect(JSON.stringify(log.all)).not.toContain(token)
    }
    expect(answers.size).toBe(1)
    const reasons = log.all
      .filter(({ message }) => message === 'credentials were refused')
      .map(({ fields }) => fields.reason)
    expect(new Set(reasons).size).toBe(4)
  })

  test('a secret is no public key, and long enough', async () => {
    const refused = (jwt: object) => start({ jwt } as never).then(() => 'started', String)
    expect(await refused({ secret: rsa.pem })).toMatch(/is a PEM key/)
    expect(await refused({ secret: 'short' })).toMatch(/has 5 bytes; HS256 needs 32/)
    expect(await refused({ keys: { kty: 'oct', k: b64(secret) } })).toMatch(/symmetric/)
    expect(await refused({ keys: rsaPair(1024).pem })).toMatch(/1024 bits/)
    const { privateKey } = rsa
    expect(await refused({ keys: privateKey.export({ type: 'pkcs8', format: 'pem' }) })).toMatch(/is a private key/)
    expect(await refused({ keys: privateKey.export({ format: 'jwk' }) })).toMatch(/is a private key/)
    expect(await refused({ keyFiles: tempFile('rubbish') })).toMatch(/neither a PEM block nor JSON/)
    expect(await refused({ keyFiles: tempFile('{"keys":[]}') })).toMatch(/there is no key/)
    expect(await refused({ keyFiles: '/nowhere/key.pem' })).toMatch(/\/nowhere\/key\.pem: ENOENT/)
    expect(await refused({ jwks: 'http://keys.example/jwks' })).toMatch(/must be https/)
    expect(await refused({ secret, algorithms: ['RS256'] })).toMatch(/no HMAC algorithm for the secret/)
    expect(await refused({ keys: rsa.pem, algorithms: ['HS256'] })).toMatch(/needs secret/)
    expect(await refused({ issuer: 'x' })).toMatch(/has no key to verify tokens with/)
    expect(await refused({ discovery: true })).toMatch(/is needed for discovery/)
  })
})
