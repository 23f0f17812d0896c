import { scryptSync } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { IncomingMessage, RequestListener } from 'node:http'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { auth } from '@gateway/auth'
import { type Context, Secret } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import { createAuthority } from '../../../test/support/certificates.ts'
import { proxyTo, startGateway } from '../../../test/support/gateway.ts'
import { lineValue, lineValues } from '../../../test/support/message.ts'
import { recordingBackend } from '../../../test/support/upstream.ts'
import { formatScrypt, formatSha256, parseHash, ScryptQueue } from '../src/hashes.ts'
import { apiKeyMethod } from '../src/methods/api-key.ts'
import { commonName } from '../src/methods/certificate.ts'
import { authSchema } from '../src/options.ts'
import { type AuthInput, b64, challenges, fakeHost, json, said, service, sign, start, tempFile } from './support.ts'

/** As cheap as it gets. */
const cheapScrypt = '$scrypt$ln=1,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$'
const scrypted = (secret: string) =>
  `${cheapScrypt}${scryptSync(secret, 'saltsaltsaltsalt', 32, { N: 2, r: 8, p: 1 }).toString('base64').replace(/=+$/, '')}`

const basicLine = (pair: string) => `Authorization: Basic ${Buffer.from(pair).toString('base64')}`

describe('API keys', () => {
  const keys = {
    good: { hash: formatSha256('key-1') },
    // As the Go gateway writes them: digits alone.
    bare: { hash: formatSha256('key-2').slice('sha256:'.length) },
    slow: { hash: scrypted('slow.key-3') },
    old: { hash: formatSha256('key-4'), expiresAt: '2020-01-01T00:00:00Z' },
    coming: { hash: formatSha256('key-5'), expiresAt: '2999-01-01T00:00:00+01:00' },
    off: { hash: formatSha256('key-6'), disabled: true },
  }

  test.each([
    ['key-1', '200'],
    ['key-2', '200'],
    ['slow.key-3', '200'],
    ['key-5', '200'],
    ['key-4', '401 AUTH_INVALID'],
    ['key-6', '401 AUTH_INVALID'],
    ['key-3', '401 AUTH_INVALID'],
    ['slow.', '401 AUTH_INVALID'],
    ['slow.key-4', '401 AUTH_INVALID'],
    ['good.key-1', '401 AUTH_INVALID'],
    ['key-', '401 AUTH_INVALID'],
    [`key-1${'x'.repeat(2000)}`, '401 AUTH_INVALID'],
    [keys.good.hash, '401 AUTH_INVALID'],
    [keys.bare.hash, '401 AUTH_INVALID'],
    ['__proto__', '401 AUTH_INVALID'],
    ['__proto__.x', '401 AUTH_INVALID'],
    ['', '401 AUTH_REQUIRED'],
  ])('%s: %s', async (key, expected) => {
    const { ask } = await start({ apiKeys: { keys } })
    expect(await ask([`X-API-Key: ${key}`])).toBe(expected)
    // A second time, where a slow hash is remembered.
    expect(await ask([`X-API-Key: ${key}`])).toBe(expected)
  })

  test.each<[NonNullable<AuthInput['apiKeys']>, string, string, string]>([
    [{}, 'x-api-key: key-1', '/', '200'],
    [{ header: 'X-Key' }, 'X-Key: key-1', '/', '200'],
    [{ header: 'X-Key' }, 'X-API-Key: key-1', '/', '401 AUTH_REQUIRED'],
    [{ header: false }, 'X-API-Key: key-1', '/', '401 AUTH_REQUIRED'],
    [{ scheme: 'ApiKey' }, 'Authorization: APIKEY key-1', '/', '200'],
    [{ scheme: 'ApiKey' }, 'Authorization: ApiKey  key-1 ', '/', '200'],
    [{ scheme: 'ApiKey' }, 'Authorization: Bearer key-1', '/', '401 AUTH_REQUIRED'],
    [{ scheme: 'ApiKey' }, 'Authorization: ApiKeykey-1', '/', '401 AUTH_REQUIRED'],
    [{ scheme: 'ApiKey' }, 'Authorization: ApiKey', '/', '401 AUTH_REQUIRED'],
    [{ cookie: 'key' }, 'Cookie: a=b; key=key-1; c=d', '/', '200'],
    [{ cookie: 'key' }, 'Cookie: key="key-1"', '/', '200'],
    [{ cookie: 'key' }, 'Cookie: xkey=key-1', '/', '401 AUTH_REQUIRED'],
    [{ query: 'key' }, 'Accept: */*', '/?a=b&key=key%2D1', '200'],
    [{ query: 'key' }, 'Accept: */*', '/?akey=key-1', '401 AUTH_REQUIRED'],
    [{}, 'Accept: */*', '/?key=key-1', '401 AUTH_REQUIRED'],
    // The header goes before, and what is presented there decides.
    [{ query: 'key' }, 'X-API-Key: bad', '/?key=key-1', '401 AUTH_INVALID'],
  ])('%j: %s, %s: %s', async (places, line, path, expected) => {
    const { ask } = await start({ apiKeys: { keys, ...places } })
    expect(await ask([line], `GET ${path}`)).toBe(expected)
  })

  test('scopes of all and of one, subject and metadata', async () => {
    const { ask, backend } = await start(
      {
        apiKeys: {
          scopes: ['read'],
          keys: {
            one: {
              hash: formatSha256('1'),
              scopes: ['write'],
              subject: 'team',
              metadata: { plan: 'pro', type: 'service' },
            },
          },
        },
        forwardHeaders: { 'X-Id': 'id', 'X-Key': 'keyId', 'X-Plan': 'plan', 'X-Scopes': 'scopes', 'X-Sub': 'sub' },
      },
      { auth: { scopes: ['read', 'write'], claims: { type: 'service' } } },
    )
    expect(await ask(['X-API-Key: 1'])).toBe('200')
    const told = backend.only.lines.filter(line => /^x-(id|key|plan|scopes|sub):/i.test(line))
    expect(told).toEqual(['X-Id: team', 'X-Key: one', 'X-Plan: pro', 'X-Scopes: read write', 'X-Sub: team'])
  })

  test('in a file, which is followed; a bad one changes nothing', async () => {
    const file = tempFile(JSON.stringify({ one: { hash: formatSha256('1') } }))
    const host = fakeHost()
    const inline = { two: { hash: formatSha256('2') } }
    const apiKeys = authSchema.parse({ apiKeys: { keys: inline, file } }).apiKeys
    if (apiKeys === undefined) throw new Error('not parsed')
    const { verify } = apiKeyMethod(host, apiKeys, new ScryptQueue())
    const ids = async () => {
      await host.tick()
      return Promise.all(['1', '2', '3'].map(async key => said(await verify(key, {} as Context))))
    }
    const unknown = '401 there is no such key'
    expect(await ids()).toEqual(['one', 'two', unknown])
    const bad = [
      { one: { hash: 'rubbish' } },
      { two: { hash: formatSha256('1') } },
      [],
      { a: inline.two, b: inline.two },
    ]
    for (const text of [...bad.map(value => JSON.stringify(value)), 'rubbish']) {
      writeFileSync(file, text)
      expect(await ids()).toEqual(['one', 'two', unknown])
    }
    expect(host.log.all.map(({ fields }) => fields.reason)).toEqual([
      expect.stringMatching(/^one\.hash: must be/),
      'the key "two" stands in the config as well',
      expect.stringContaining('expected record'),
      'the key "a" has the hash of another one',
      'it is not JSON',
    ])
    writeFileSync(file, JSON.stringify({ three: { hash: formatSha256('3') } }))
    expect(await ids()).toEqual([unknown, 'two', 'three'])
  })

  test.each([
    [{}, /has neither keys nor file/],
    [{ keys: { a: { hash: 'md5:1' } } }, /must be 'sha256:'/],
    [{ keys: { a: { hash: formatSha256('1') }, b: { hash: formatSha256('1') } } }, /"b" has the hash of another one/],
    [{ keys: { 'a.b': { hash: scrypted('a.b.c') } } }, /cannot hold a dot/],
    [{ keys: { a: { hash: formatSha256('1'), expiresAt: 'tomorrow' } } }, /expiresAt/],
    [{ file: '/nowhere/keys.json' }, /\/nowhere\/keys.json: ENOENT/],
  ])('%j is no config', async (apiKeys, reason) => {
    expect(await start({ apiKeys } as never).then(() => 'started', String)).toMatch(reason)
  })
})

test('hashes are read as they are written, and dear ones refused', () => {
  expect(parseHash(formatSha256('x'))?.kind).toBe('sha256')
  expect(parseHash(formatSha256('x').toUpperCase().slice(7))?.kind).toBe('sha256')
  expect(parseHash(formatScrypt('x'))).toMatchObject({ kind: 'scrypt', cost: { N: 32_768, r: 8, p: 3 } })
  for (const params of ['ln=21,r=8,p=1', 'ln=0,r=8,p=1', 'ln=20,r=8,p=1', 'ln=15,r=99,p=1', 'ln=15,r=8,p=0']) {
    expect(parseHash(`$scrypt$${params}$c2FsdHNhbHRzYWx0c2FsdA$${'A'.repeat(43)}`), params).toBe(undefined)
  }
})

describe('Basic', () => {
  const users = { alice: { hash: scrypted('pässword:x') }, bob: { hash: scrypted('b'), disabled: true } }

  test.each([
    [basicLine('alice:pässword:x'), '200'],
    [basicLine('alice:pässword'), '401 AUTH_INVALID'],
    [basicLine('alice:'), '401 AUTH_INVALID'],
    [basicLine('bob:b'), '401 AUTH_INVALID'],
    [basicLine('carol:pässword:x'), '401 AUTH_INVALID'],
    [basicLine('__proto__:x'), '401 AUTH_INVALID'],
    [basicLine(':pässword:x'), '401 AUTH_INVALID'],
    [basicLine('alice'), '401 AUTH_INVALID'],
    [basicLine('alice:pässword:x\n'), '401 AUTH_INVALID'],
    [`Authorization: Basic ${Buffer.from('alice:p\xe4ssword:x', 'latin1').toString('base64')}`, '401 AUTH_INVALID'],
    ['Authorization: Basic !!!', '401 AUTH_INVALID'],
    [`Authorization: Basic ${'A'.repeat(4000)}`, '401 AUTH_INVALID'],
    ['Authorization: Basic', '401 AUTH_REQUIRED'],
    ['Authorization: Bearer x', '401 AUTH_REQUIRED'],
  ])('%s: %s', async (line, expected) => {
    const { ask } = await start({ basic: { users } })
    expect(await ask([line])).toBe(expected)
    expect(await ask([line])).toBe(expected)
  })

  test('asks for a password as RFC 7617 has it', async () => {
    const { send } = await start({ basic: { users }, realm: 'the gate' })
    expect(challenges(await send())).toEqual(['Basic realm="the gate", charset="UTF-8"'])
    expect(challenges(await send([basicLine('alice:x')]))).toEqual(['Basic realm="the gate", charset="UTF-8"'])
  })

  test('a flood of guesses is turned away, and does not grow', async () => {
    const known = parseHash(scrypted('x'))
    if (known?.kind !== 'scrypt') throw new Error('not parsed')
    const queue = new ScryptQueue()
    const flood = ['a', 'b', 'c'].flatMap(client => Array.from({ length: 40 }, () => queue.verify('y', known, client)))
    const answers = await Promise.all(flood)
    const refused = [...Array(6).fill(undefined), ...Array(32).fill(false), ...Array(8).fill(undefined)]
    // Two at once, 32 of each client, and no more when two clients have filled it.
    expect(answers).toEqual([...Array(34).fill(false), ...refused, ...Array(40).fill(undefined)])
    expect(await Promise.all(['x', 'y'].map(guess => queue.verify(guess, known, 'a')))).toEqual([true, false])
  })

  test('a fast hash of a password is no config', async () => {
    const basic = { users: { alice: { hash: formatSha256('x') } } }
    expect(await start({ basic }).then(() => 'started', String)).toMatch(/must be scrypt/)
  })
})

describe('introspection', () => {
  const secret = new Secret('it', () => 's3cret&')
  const options = (url: string) => ({ url, clientId: 'the gate', clientSecret: secret })
  const active = (more: object = {}): RequestListener =>
    json({ active: true, sub: 'alice', scope: 'read write', ...more })

  test('asks as RFC 7662 has it, once', async () => {
    const asked: string[] = []
    const issuer = await service(async (request: IncomingMessage, response) => {
      const { method, headers } = request
      asked.push(`${method} ${headers['content-type']} ${headers.authorization} ${await text(request)}`)
      active()(request, response)
    })
    const { ask } = await start({ introspection: options(issuer.url) }, { auth: { scopes: ['read'] } })
    const answers = await Promise.all([1, 2, 3].map(() => ask(['Authorization: Bearer opaque+1'])))
    expect([...answers, await ask(['Authorization: Bearer opaque+1'])]).toEqual(['200', '200', '200', '200'])
    expect(asked).toEqual([
      `POST application/x-www-form-urlencoded Basic ${Buffer.from('the+gate:s3cret%26').toString('base64')} token=opaque%2B1&token_type_hint=access_token`,
    ])
    expect(await ask(['Authorization: Bearer opaque-2'])).toBe('200')
    expect(issuer.count).toBe(2)
  })

  test.each<[object, object, string]>([
    [{ active: false }, {}, '401 AUTH_INVALID'],
    [{ active: 'true' }, {}, '401 AUTH_INVALID'],
    [{ active: undefined }, {}, '401 AUTH_INVALID'],
    [{ exp: 1 }, {}, '401 AUTH_INVALID'],
    [{ exp: '9999999999' }, {}, '401 AUTH_INVALID'],
    [{ nbf: 9_999_999_999 }, {}, '401 AUTH_INVALID'],
    [{ sub: undefined }, {}, '401 AUTH_INVALID'],
    [{ sub: undefined, username: 'alice' }, {}, '200'],
    [{ sub: undefined, client_id: 'job' }, {}, '200'],
    [{ iss: 'us' }, { issuer: 'us' }, '200'],
    [{ iss: 'them' }, { issuer: 'us' }, '401 AUTH_INVALID'],
    [{ aud: ['us'] }, { audience: 'us' }, '200'],
    [{ aud: 'them' }, { audience: 'us' }, '401 AUTH_INVALID'],
    [{}, { audience: 'us' }, '401 AUTH_INVALID'],
  ])('an answer with %j where %j is asked for: %s', async (answer, asked, expected) => {
    const issuer = await service(active(answer))
    const { ask } = await start({ introspection: { ...options(issuer.url), ...asked } })
    expect(await ask(['Authorization: Bearer x'])).toBe(expected)
    expect(await ask(['Authorization: Bearer x'])).toBe(expected)
    expect(issuer.count).toBe(1)
  })

  test.each<[string, RequestListener]>([
    ['that refuses us', json({ error: 'invalid_client' }, 401)],
    ['that fails', json({}, 500)],
    ['that lies', (_request, response) => void response.end('active')],
    ['that hangs', () => {}],
    ['that answers 10 MB', (_request, response) => void response.end(Buffer.alloc(10 * 1024 ** 2))],
  ])('an issuer %s: 503, tried again by the next', async (_name, answer) => {
    const issuer = await service(answer)
    const { ask, send, log } = await start({ introspection: { ...options(issuer.url), timeout: 300 } })
    const message = await send(['Authorization: Bearer x'])
    expect([message.status, lineValue(message.lines, 'retry-after')]).toEqual([503, '5'])
    expect(message.body).not.toContain('127.0.0.1')
    expect(log.all.find(({ message: text }) => text === 'credentials were refused')?.fields.reason).toContain(
      issuer.url,
    )
    issuer.answer = active()
    expect(await ask(['Authorization: Bearer x'])).toBe('200')
  })

  test('beside jwt, the form of a token tells whose it is', async () => {
    const issuer = await service(active())
    const key = 'a secret that is longer than thirty-two bytes'
    const { ask } = await start({ introspection: options(issuer.url), jwt: { secret: key } })
    expect(await ask(['Authorization: Bearer opaque'])).toBe('200')
    expect(await ask([`Authorization: Bearer ${await sign(Buffer.from(key), 'HS256')}`])).toBe('200')
    expect(await ask([`Authorization: Bearer ${b64({})}.${b64({})}.${b64({})}`])).toBe('401 AUTH_INVALID')
    expect(issuer.count).toBe(1)
  })
})

describe('another service decides', () => {
  const forward = (url: string, more: object = {}) => ({ forward: { url, id: 'X-User', ...more } })

  test('it is shown the request, and says who it is', async () => {
    let shown: IncomingMessage['headers'] = {}
    const judge = await service((request, response) => {
      shown = request.headers
      response
        .writeHead(204, { 'X-User': Buffer.from('zoë').toString('latin1'), 'X-Roles': 'a, b', 'X-Mail': 'z@x' })
        .end()
    })
    const { ask, backend } = await start(
      {
        ...forward(judge.url, { roles: 'X-Roles', claims: { email: 'X-Mail' } }),
        forwardHeaders: { 'X-Me': 'id', 'X-Email': 'email' },
      },
      { auth: { roles: ['b'] } },
    )
    const lines = [
      'Authorization: Basic x',
      'X-Forwarded-Uri: /forged',
      'X-Forwarded-For: 1.2.3.4',
      'X-Other: 1',
      'X-Me: root',
    ]
    expect(await ask(lines, 'POST /a?b=c')).toBe('200')
    expect(shown).toMatchObject({
      authorization: 'Basic x',
      'x-forwarded-method': 'POST',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'gateway.test',
      'x-forwarded-uri': '/a?b=c',
      'x-forwarded-for': '127.0.0.1',
    })
    expect(shown).not.toHaveProperty('x-other')
    expect(lineValues(backend.only.lines, 'x-me')).toEqual([Buffer.from('zoë').toString('latin1')])
    expect(lineValues(backend.only.lines, 'x-email')).toEqual(['z@x'])
  })

  test.each<[number, Record<string, string>, string]>([
    [200, {}, '503 AUTH_UNAVAILABLE'],
    [401, {}, '401 AUTH_INVALID'],
    [403, {}, '403 AUTH_FORBIDDEN'],
    [302, { location: '/login' }, '503 AUTH_UNAVAILABLE'],
    [500, {}, '503 AUTH_UNAVAILABLE'],
    [404, {}, '503 AUTH_UNAVAILABLE'],
  ])('it answers %i with %j: %s', async (status, headers, expected) => {
    const judge = await service((_request, response) => response.writeHead(status, headers).end('inside'))
    const { ask, backend } = await start(forward(judge.url))
    expect(await ask(['Cookie: a=b'])).toBe(expected)
    expect(await ask()).toBe('401 AUTH_REQUIRED')
    expect(judge.count).toBe(1)
    expect(backend.requests).toEqual([])
  })

  test('its challenge and, where that is allowed, its redirects are passed on', async () => {
    const judge = await service((_request, response) =>
      response.writeHead(401, { 'WWW-Authenticate': 'Digest x' }).end(),
    )
    const { send } = await start(forward(judge.url, { redirects: true }))
    expect(challenges(await send())).toEqual(['Digest x'])
    const cookies = ['state=1; HttpOnly', 'b=2']
    judge.answer = (_request, response) =>
      response.writeHead(302, { location: 'https://login.example/?x', 'set-cookie': cookies }).end()
    const { status, lines } = await send()
    expect([status, lineValue(lines, 'location'), lineValues(lines, 'set-cookie')]).toEqual([
      302,
      'https://login.example/?x',
      cookies,
    ])
  })

  test('one that hangs: 503', async () => {
    const judge = await service(() => {})
    const { ask } = await start(forward(judge.url, { timeout: 50 }))
    expect(await ask(['Cookie: a=b'])).toBe('503 AUTH_UNAVAILABLE')
  })
})

describe('certificates', async () => {
  const authority = await createAuthority()
  const server = await authority.issue({ names: ['DNS:localhost'] })
  const client = await authority.issue({
    subject: '/O=Example, Inc./CN=alice',
    names: ['DNS:alice.test', 'URI:spiffe://example/alice', 'email:a@x.test'],
  })

  async function startMtls(certificate: AuthInput['certificate']) {
    const backend = await recordingBackend()
    const { cert, key } = server
    const tls = { cert, key, clientCertificate: { ca: authority.cert, mode: 'optional' } }
    const forwardHeaders = { 'X-Id': 'id' }
    const { port } = await startGateway(
      proxyTo(backend.origin, { plugins: [auth({ certificate, forwardHeaders })], listen: { tls, http2: false } }),
    )
    const ask = async (own: { cert?: string; key?: string } = client) => {
      const call = request({
        port,
        host: '127.0.0.1',
        servername: 'localhost',
        ca: authority.cert,
        agent: false,
        ...own,
      })
      call.end()
      const [response] = (await once(call, 'response')) as [IncomingMessage]
      const body = await text(response)
      const id = backend.requests.at(-1)?.lines
      return response.statusCode === 200 ? lineValue(id ?? [], 'x-id') : (JSON.parse(body) as { code: string }).code
    }
    return ask
  }

  test.each<[AuthInput['certificate'], string]>([
    [true, 'CN=alice,O=Example\\, Inc.'],
    [{ id: 'commonName' }, 'alice'],
    [{ id: 'dns' }, 'alice.test'],
    [{ id: 'uri' }, 'spiffe://example/alice'],
    [{ id: 'email' }, 'a@x.test'],
    [{ id: 'uri', allow: ['spiffe://example/*'] }, 'spiffe://example/alice'],
    [{ id: 'uri', allow: ['spiffe://exam', 'x*'] }, 'AUTH_FORBIDDEN'],
  ])('%j: %s', async (certificate, expected) => {
    const ask = await startMtls(certificate)
    expect(await ask()).toBe(expected)
    expect(await ask({})).toBe('AUTH_REQUIRED')
  })

  test('a name that looks like another one is not the other one', () => {
    expect(commonName('CN=alice,O=x')).toBe('alice')
    expect(commonName('O=x\\,CN=root,CN=alice')).toBe('alice')
    expect(commonName('O=x\\,CN=root')).toBe(undefined)
    expect(commonName('OU=a+CN=alice')).toBe('alice')
    expect(commonName('CN=a\\,b\\2c\\C3\\AB\\\\')).toBe('a,b,ë\\')
    expect(commonName('CN=')).toBe(undefined)
  })
})
