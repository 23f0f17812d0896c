import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createAuthority } from '../../../test/support/certificates.ts'
import { makeFolder } from '../../../test/support/folder.ts'
import { Secret, secret } from './environment/secret.ts'
import { normalise } from './normalise.ts'

const folder = makeFolder()
const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

const authority = await createAuthority()
const a = await authority.issue({ names: ['DNS:A.test', 'DNS:*.a.test', 'IP:127.0.0.1'] })
const b = await authority.issue({ names: ['DNS:b.test'], type: 'rsa' })

function read(tls: unknown, more: object = {}) {
  const { model, problems, files } = normalise({ listen: { port: 0, tls, ...more }, routes: {} })
  return { tls: model?.listeners[0]?.tls, problems, files, model }
}

function problemOf(tls: unknown, more?: object) {
  const { problems, tls: got } = read(tls, more)
  expect(got).toBeUndefined()
  expect(problems.map(({ severity }) => severity)).toEqual(['error'])
  return problems[0]
}

describe('certificates', () => {
  test('as text: the names and the type of each, and defaults', () => {
    const { tls, problems, files } = read({ cert: a.cert, key: a.key, certificates: [{ cert: b.cert, key: b.key }] })
    expect(problems).toEqual([])
    expect(files).toEqual([])
    expect(tls).toEqual({
      certificates: [
        { cert: a.cert, key: a.key, names: ['a.test', '*.a.test'], keyType: 'ec' },
        { cert: b.cert, key: b.key, names: ['b.test'], keyType: 'rsa' },
      ],
      minVersion: 'TLSv1.2',
    })
  })

  test('as files, from the current folder on: the same, and the files are told', () => {
    const near = relative(process.cwd(), a.certFile)
    const ca = { ca: authority.certFile, mode: 'require' }
    const { tls, files, model } = read({ cert: near, key: a.keyFile, clientCertificate: ca, maxVersion: 'TLSv1.3' })
    expect(tls).toMatchObject({
      certificates: [{ cert: a.cert, key: a.key }],
      clientCertificate: { ca: authority.cert, mode: 'require' },
      maxVersion: 'TLSv1.3',
    })
    expect(files).toEqual([a.certFile, a.keyFile, authority.certFile])
    expect(model?.files).toEqual(files)
  })

  test('the key as a secret, also when its file was replaced a moment ago; upstream likewise', () => {
    const file = write('secret.key', b.key)
    const key = secret.file(file)
    expect(problemOf({ cert: a.cert, key })).toMatchObject({
      message: `[secret ${file}] is not the key of the certificate in the text`,
    })
    write('secret.key', a.key)
    const { tls, files } = read({ cert: a.cert, key })
    expect(tls?.certificates[0].key).toBe(a.key.trimEnd())
    expect(files).toEqual([])
    expect(problemOf({ cert: a.cert, key: new Secret('NONE', () => 'sw0rdfish') })?.message).toBe(
      '[secret NONE] holds no private key that can be read (PEM)',
    )
    const services = { s: { targets: ['https://127.0.0.1:1'], tls: { key } } }
    expect(normalise({ services, routes: {} }).model?.services[0]?.tls).toEqual({ key: a.key.trimEnd() })
  })

  test('a chain, and what openssl writes around certificates and keys, as text and as files', () => {
    const about = execFileSync('openssl', ['x509', '-in', a.certFile, '-text', '-noout'], { encoding: 'utf8' })
    const bag = 'Bag Attributes\n    friendlyName: a\nKey Attributes: <No Attributes>\n'
    const [cert, key] = [`${about}subject=a\n${a.cert}\nissuer=ca\n${authority.cert}`, bag + a.key]
    const expected = { cert, key, names: ['a.test', '*.a.test'] }
    expect(read({ cert, key }).tls?.certificates[0]).toMatchObject(expected)
    const files = { cert: write('about.pem', cert), key: write('bag.pem', key) }
    expect(read(files).tls?.certificates[0]).toMatchObject(expected)
  })

  test('a listener without TLS has none, and HTTP/2 is on', () => {
    expect(read(undefined).model?.listeners[0]).toMatchObject({ tls: undefined, http2: true, proxyProtocol: false })
  })
})

describe('what is wrong is said at its place, with the name of the file', () => {
  const place = ['listen', 'tls', 'cert']

  test('a file that is not there; it is told all the same, so that it can be watched', () => {
    const missing = join(folder, 'missing.pem')
    expect(problemOf({ cert: missing, key: a.key })).toMatchObject({
      code: 'CONFIG_CERTIFICATE',
      message: `cannot read ${missing}: there is no such file`,
      path: place,
    })
    expect(read({ cert: missing, key: a.keyFile }).files).toEqual([missing, a.keyFile])
  })

  test('a folder, and a device, which would never be read to its end', () => {
    expect(problemOf({ cert: folder, key: a.key })?.message).toBe(`cannot read ${folder}: it is not a file`)
    expect(problemOf({ cert: '/dev/zero', key: a.key })?.message).toBe('cannot read /dev/zero: it is not a file')
  })

  test('a file without a certificate, or with half of one', () => {
    const none = write('none.pem', 'hello')
    expect(problemOf({ cert: none, key: a.key })?.message).toBe(`${none} holds no certificate that can be read (PEM)`)
    const half = write('half.pem', a.cert.slice(0, 200))
    expect(problemOf({ cert: half, key: a.key })?.message).toBe(`${half} holds no certificate that can be read (PEM)`)
    const broken = a.cert.replace(/\n.{20}/, '\n')
    expect(problemOf({ cert: broken, key: a.key })?.message).toBe(
      'the text holds no certificate that can be read (PEM)',
    )
  })

  test('a file without a key, or with an encrypted one', () => {
    const { certFile } = a
    expect(problemOf({ cert: certFile, key: certFile })).toMatchObject({
      message: `${certFile} holds no private key that can be read (PEM)`,
      path: ['listen', 'tls', 'key'],
    })
    const { privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    })
    const encrypted = write('encrypted.pem', privateKey)
    expect(problemOf({ cert: certFile, key: encrypted })?.message).toBe(
      `${encrypted} holds an encrypted key: it has to be a plain one`,
    )
  })

  test('the key of another certificate', () => {
    expect(problemOf({ cert: a.cert, key: a.key, certificates: [{ cert: a.certFile, key: b.keyFile }] })).toMatchObject(
      {
        message: `${b.keyFile} is not the key of the certificate in ${a.certFile}`,
        path: ['listen', 'tls', 'certificates', 0, 'key'],
      },
    )
  })

  test('an expired certificate', async () => {
    const expired = await authority.issue({ days: -1 })
    const day = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10)
    expect(problemOf({ cert: expired.certFile, key: expired.keyFile })).toMatchObject({
      code: 'CONFIG_CERTIFICATE_EXPIRED',
      message: `the certificate in ${expired.certFile} expired on ${day}`,
      path: place,
    })
  })

  test('authorities that are none, also among others', () => {
    const problem = (ca: string) => problemOf({ cert: a.cert, key: a.key, clientCertificate: { ca, mode: 'optional' } })
    const path = ['listen', 'tls', 'clientCertificate', 'ca']
    expect(problem(a.keyFile)).toMatchObject({
      message: `${a.keyFile} holds no certificates that can be read (PEM)`,
      path,
    })
    const broken = `${authority.cert}\n${a.cert.replace(/\n.{20}/, '\n')}`
    expect(problem(broken)?.message).toBe('the text holds no certificates that can be read (PEM)')
    expect(problem('nowhere.pem')?.message).toBe('cannot read nowhere.pem: there is no such file')
  })

  test('ciphers and versions that cannot be', () => {
    expect(problemOf({ cert: a.cert, key: a.key, ciphers: 'ROT13' })).toMatchObject({
      code: 'CONFIG_TLS_CIPHERS',
      message: 'cannot be used by TLS: no cipher match',
      path: ['listen', 'tls', 'ciphers'],
    })
    expect(problemOf({ cert: a.cert, key: a.key, minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' })).toMatchObject({
      code: 'CONFIG_TLS_VERSION',
      path: ['listen', 'tls', 'maxVersion'],
    })
    expect(problemOf({ cert: a.cert, key: a.key, minVersion: 'TLSv1.1' })?.path).toEqual([
      'listen',
      'tls',
      'minVersion',
    ])
  })

  test('a key that is too weak for TLS', () => {
    const weak = { cert: join(folder, 'weak.crt'), key: join(folder, 'weak.key') }
    const args = ['-x509', '-newkey', 'rsa:1024', '-nodes', '-days', '2', '-subj', '/CN=weak']
    execFileSync('openssl', ['req', ...args, '-keyout', weak.key, '-out', weak.cert], { stdio: 'pipe' })
    expect(problemOf({ cert: weak.cert, key: weak.key })?.message).toBe(
      `${weak.cert} cannot be used by TLS: ee key too small`,
    )
  })

  test('the PROXY protocol from nobody', () => {
    expect(problemOf(undefined, { proxyProtocol: true })).toMatchObject({
      code: 'CONFIG_PROXY_PROTOCOL_TRUST',
      path: ['listen', 'proxyProtocol'],
    })
  })
})

describe('key material is never shown', () => {
  const [, ...lines] = a.key.trim().split('\n').slice(0, -1)
  test.each([
    ['without its frame', [a.key.split('\n')[1], ...lines].join('')],
    ['with its lines', lines.join('\n')],
    ['with a broken frame', a.key.replaceAll('-----', '----')],
    ['with a NUL', '/etc/key\0'],
  ])('%s', (_, key) => {
    const problem = problemOf({ cert: a.cert, key })
    expect(problem?.message).toBe(
      `is neither PEM text nor the path of a PEM file: a string of ${key.length} characters`,
    )
  })
})

describe('with time', () => {
  const day = 86_400_000
  afterEach(() => void vi.useRealTimers())

  test.each([
    [90, 75, []],
    [90, 77, ['CONFIG_CERTIFICATE_EXPIRES']],
    [3, 1.9, []],
    [3, 2.1, ['CONFIG_CERTIFICATE_EXPIRES']],
    [90, -1, ['CONFIG_CERTIFICATE_NOT_YET_VALID']],
  ])('a certificate of %d days after %d: a warning at most', async (days, after, codes) => {
    const issued = await authority.issue({ days })
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + after * day })
    const { tls, problems } = read({ cert: issued.cert, key: issued.key })
    expect(problems.map(({ code, severity }) => [code, severity])).toEqual(codes.map(code => [code, 'warning']))
    expect(tls).toBeDefined()
  })
})
