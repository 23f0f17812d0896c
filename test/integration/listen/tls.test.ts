import { constants } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createAuthority, type Issued } from '../../support/certificates.ts'
import { type LooseConfig, proxyTo, startGateway } from '../../support/gateway.ts'
import { lineValue } from '../../support/message.ts'
import { recordingBackend } from '../../support/upstream.ts'
import { requestText } from '../../support/wire.ts'
import { certificateFor, connectTls, failure, getTls, sessionFrom } from './tls-client.ts'

const authority = await createAuthority()
const issue = (name: string, names: string[], type?: 'rsa') =>
  authority.issue({ subject: `/CN=${name}`, names: names.map(dns => `DNS:${dns}`), ...(type && { type }) })
const first = await issue('first', ['first.test', 'localhost'])
const exact = await issue('exact', ['a.wild.test'])
const wild = await issue('wild', ['*.wild.test', '*.Upper.Test'])
const rsa = await issue('rsa', ['first.test', 'a.wild.test', 'rsa.test'], 'rsa')
const wildRsa = await issue('wildRsa', ['*.wild.test'], 'rsa')

const pair = ({ cert, key }: Issued) => ({ cert, key })

function secure(tls: object = {}, more: LooseConfig = {}): Promise<{ port: number; url: string }> {
  const config = { routes: { all: { match: 'ANY /*', reply: { status: 200, body: 'hello' } } }, ...more }
  return startGateway({ ...config, listen: { tls: { ...pair(first), ...tls } } }).then(({ port, gateway }) => ({
    port,
    url: gateway.addresses[0]?.url ?? '',
  }))
}

describe('a TLS listener', () => {
  test('says https, to its owner and to the upstream', async () => {
    const backend = await recordingBackend()
    const { gateway, port } = await startGateway(proxyTo(backend.origin, { listen: { tls: pair(first) } }))
    expect(gateway.addresses[0]?.url).toBe(`https://127.0.0.1:${port}`)
    expect(await getTls(port, { servername: 'first.test' })).toMatchObject({ status: 200, body: 'hello' })
    expect(lineValue(backend.only.lines, 'x-forwarded-proto')).toBe('https')
  })

  test('is verified by a client that believes its authority, and keeps connections', async () => {
    const { port } = await secure()
    const wire = await connectTls(port, { ca: authority.cert, servername: 'first.test', rejectUnauthorized: true })
    for (let request = 0; request < 3; request++) {
      wire.send(requestText('GET /'))
      expect(await wire.response()).toMatchObject({ status: 200, body: 'hello' })
    }
  })

  test('tells plugins of the name that the client asked for, and may be told to drop it', async () => {
    const asked: unknown[] = []
    const plugin = {
      name: 'names',
      definition: {
        name: 'names',
        setup: () => ({
          onConnection(connection: { serverName: string | undefined }) {
            asked.push(connection.serverName)
            return connection.serverName === 'rsa.test' ? 'drop' : undefined
          },
        }),
      },
    }
    const { port } = await secure({ certificates: [pair(rsa)] }, { plugins: [plugin] })
    await getTls(port, { servername: 'first.test' })
    await getTls(port)
    expect(await failure(port, { servername: 'rsa.test' })).toMatch(/closed|ECONNRESET/)
    expect(asked).toEqual(['first.test', undefined, 'rsa.test'])
  })
})

describe('the certificate', () => {
  const ecdsa = { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const
  const onlyRsa = { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const

  test('is the most exact one for the name', async () => {
    const { port } = await secure({ certificates: [pair(wild), pair(exact)] })
    const table = {
      'first.test': 'first',
      'a.wild.test': 'exact',
      'b.wild.test': 'wild',
      'A.WILD.test': 'exact',
      'b.upper.test': 'wild',
    }
    for (const [servername, name] of Object.entries(table)) {
      expect([servername, await certificateFor(port, { servername })]).toEqual([servername, name])
    }
  })

  test.each([undefined, 'unknown.test', 'a.b.wild.test', 'wild.test', 'test', '.wild.test', 'notwild.test'])(
    'is the first one for %s',
    async servername => {
      const { port } = await secure({ certificates: [pair(wild), pair(exact)] })
      expect(await certificateFor(port, servername === undefined ? {} : { servername })).toBe('first')
    },
  )

  test('odd names get the first one, and nothing breaks', async () => {
    const { port } = await secure({ certificates: [pair(wild)] })
    for (const servername of [
      '__proto__',
      'constructor',
      '*',
      '*.wild',
      '.',
      '..',
      'a..',
      ' ',
      '\xff\xfe',
      'ü.test',
      'x'.repeat(250),
    ]) {
      expect([servername, await certificateFor(port, { servername })]).toEqual([servername, 'first'])
    }
    expect((await getTls(port)).status).toBe(200)
  })

  test('of two types for a name by SNI is the one that the client can use', async () => {
    const { port } = await secure({ certificates: [pair(exact), pair(wild), pair(rsa), pair(wildRsa)] })
    for (const [servername, ofEcdsa, ofRsa] of [
      ['a.wild.test', 'exact', 'rsa'],
      ['b.wild.test', 'wild', 'wildRsa'],
    ] as const) {
      expect(await certificateFor(port, { servername })).toBe(ofEcdsa)
      expect(await certificateFor(port, { servername, sigalgs: 'ECDSA+SHA256' })).toBe(ofEcdsa)
      expect(await certificateFor(port, { servername, ...ecdsa })).toBe(ofEcdsa)
      expect(await certificateFor(port, { servername, sigalgs: 'RSA-PSS+SHA256' })).toBe(ofRsa)
      expect(await certificateFor(port, { servername, ...onlyRsa })).toBe(ofRsa)
    }
  })

  test('of two types for one name is the one that the client can use', async () => {
    const { port } = await secure({ certificates: [pair(rsa)] })
    for (const options of [{ servername: 'first.test' }, {}]) {
      expect(await certificateFor(port, options)).toBe('first')
      expect(await certificateFor(port, { ...options, ...onlyRsa })).toBe('rsa')
      expect(await certificateFor(port, { ...options, ...ecdsa })).toBe('first')
    }
    // The others are for one of them alone.
    expect(await certificateFor(port, { servername: 'rsa.test' })).toBe('rsa')
    expect(await failure(port, { servername: 'rsa.test', ...ecdsa })).toMatch(/HANDSHAKE_FAILURE$/)
    expect(await certificateFor(port, { servername: 'localhost' })).toBe('first')
    expect(await failure(port, { servername: 'localhost', ...onlyRsa })).toMatch(/HANDSHAKE_FAILURE$/)
  })

  test('comes with its chain', async () => {
    const cert = first.cert + authority.cert
    const { port } = await secure({ cert })
    const { socket } = await connectTls(port)
    expect(socket.getPeerCertificate(true).issuerCertificate.subject.CN).toBe('Test CA')
  })
})

describe('the version', () => {
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const

  test('is 1.2 at least as it comes, and 1.3 where both can', async () => {
    const { port } = await secure()
    expect(await failure(port, old)).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
    expect((await connectTls(port, { maxVersion: 'TLSv1.2' })).socket.getProtocol()).toBe('TLSv1.2')
    expect((await connectTls(port)).socket.getProtocol()).toBe('TLSv1.3')
  })

  test('can be raised, bounded, and its ciphers chosen', async () => {
    const raised = await secure({ minVersion: 'TLSv1.3', certificates: [pair(exact)] })
    for (const servername of ['first.test', 'a.wild.test']) {
      expect(await failure(raised.port, { maxVersion: 'TLSv1.2', servername })).toMatch(/PROTOCOL_VERSION$/)
    }
    const bounded = await secure({ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' })
    const { socket } = await connectTls(bounded.port)
    expect(socket.getCipher()).toMatchObject({ version: 'TLSv1.2', standardName: expect.stringMatching(/AES_256_GCM/) })
    expect(await failure(bounded.port, { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })).toMatch(/HANDSHAKE_FAILURE$/)
  })

  test('a client cannot renegotiate', async () => {
    const { port } = await secure()
    const { socket } = await connectTls(port, {
      maxVersion: 'TLSv1.2',
      secureOptions: constants.SSL_OP_LEGACY_SERVER_CONNECT,
    })
    const refused = new Promise<Error | null>(resolve => {
      socket.on('error', resolve)
      socket.renegotiate({}, resolve)
    })
    expect(await refused).toMatchObject({ code: 'ERR_SSL_NO_RENEGOTIATION' })
  })
})

describe('ALPN', () => {
  test.each([
    [['http/1.1'], 'http/1.1'],
    [['http/1.0'], 'http/1.0'],
    [['spdy/3', 'http/1.1'], 'http/1.1'],
    [undefined, false],
  ])('%j agrees on %j, and HTTP/1 is spoken', async (ALPNProtocols, agreed) => {
    const { port } = await secure()
    const wire = await connectTls(port, ALPNProtocols === undefined ? {} : { ALPNProtocols })
    expect(wire.socket.alpnProtocol).toBe(agreed)
    wire.send(requestText('GET /'))
    expect((await wire.response()).status).toBe(200)
  })

  test('a client that speaks nothing of what is offered is told so (RFC 7301 section 3.2)', async () => {
    const { port } = await secure()
    expect(await failure(port, { ALPNProtocols: ['imap'] })).toMatch(/NO_APPLICATION_PROTOCOL$/)
  })

  test('HTTP/2 is not offered where it is switched off', async () => {
    const { port } = await startGateway({ listen: { tls: pair(first), http2: false }, routes: {} })
    expect((await connectTls(port, { ALPNProtocols: ['h2', 'http/1.1'] })).socket.alpnProtocol).toBe('http/1.1')
  })
})

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'a session of %s is resumed, also under another certificate',
  async version => {
    const { port } = await secure({ certificates: [pair(wild)] })
    for (const servername of ['first.test', 'b.wild.test']) {
      const options = { servername, minVersion: version, maxVersion: version }
      const session = await sessionFrom(port, options)
      const { socket } = await connectTls(port, { ...options, session })
      expect(socket.isSessionReused()).toBe(true)
    }
  },
)

test('over IPv6', async () => {
  const { gateway } = await startGateway({
    listen: { tls: pair(first), host: '::1' },
    routes: { all: { match: 'GET /*', reply: { status: 200 } } },
  })
  const [address] = gateway.addresses
  expect(address?.url).toBe(`https://[::1]:${address?.port}`)
  expect(await getTls(address?.port ?? 0, { host: '::1' })).toMatchObject({ status: 200 })
})
