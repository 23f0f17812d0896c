import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../../test/support/free-port.ts'
import { createEndpoint } from './connect.ts'
import { get, ok, pool, type ServerPeer, send, upstream } from './pool.fixture.ts'

let directory = ''
const pem = (name: string) => readFileSync(join(directory, name), 'utf8')

/** A CA, and a certificate of it for 127.0.0.1 and upstream.test. */
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'gateway-connect-'))
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  openssl('req', '-x509', ...key, '-subj', '/CN=Test CA', '-keyout', 'ca.key', '-out', 'ca.crt')
  const names = 'subjectAltName=IP:127.0.0.1,DNS:upstream.test'
  const issuer = ['-CA', 'ca.crt', '-CAkey', 'ca.key']
  openssl('req', '-x509', ...key, ...issuer, '-subj', '/CN=x', '-addext', names, '-keyout', 'a.key', '-out', 'a.crt')
})
afterAll(() => rmSync(directory, { recursive: true }))

const forever = async (peer: ServerPeer) => {
  for (;;) await peer.answer()
}

describe('https', () => {
  test('verified against the CA given; no name is sent to an address', async () => {
    const server = await upstream(
      forever,
      {},
      { key: pem('a.key'), cert: pem('a.crt'), ALPNProtocols: ['h2', 'http/1.1'] },
    )
    const to = pool(server.origin, { tls: { ca: pem('ca.crt') } })
    for (let i = 0; i < 2; i++) expect((await send(to).response.over()).body).toBe('hello')
    expect(server.peers.length).toBe(1)
    const socket = server.peers[0]?.socket
    expect(socket).toBeInstanceOf(TLSSocket)
    if (!(socket instanceof TLSSocket)) return
    expect(socket.alpnProtocol).toBe('http/1.1')
    expect(socket.servername).toBeFalsy()
  })

  test('the name asked for is the one verified', async () => {
    const server = await upstream(forever, {}, { key: pem('a.key'), cert: pem('a.crt') })
    const to = pool(server.origin, { tls: { ca: [pem('ca.crt')], serverName: 'upstream.test' } })
    expect((await send(to).response.over()).body).toBe('hello')
    const socket = server.peers[0]?.socket
    expect(socket instanceof TLSSocket && socket.servername).toBe('upstream.test')
  })

  test('a client certificate', async () => {
    const tls = { key: pem('a.key'), cert: pem('a.crt'), ca: pem('ca.crt'), requestCert: true }
    const server = await upstream(forever, {}, tls)
    const to = pool(server.origin, { tls: { ca: pem('ca.crt'), cert: pem('a.crt'), key: pem('a.key') } })
    expect((await send(to).response.over()).body).toBe('hello')
    const socket = server.peers[0]?.socket
    expect(socket instanceof TLSSocket && socket.authorized).toBe(true)
  })

  test('a large response', async () => {
    const body = 'x'.repeat(3_000_000)
    const server = await upstream(
      async peer => void (await peer.answer(ok(body))),
      {},
      { key: pem('a.key'), cert: pem('a.crt') },
    )
    const to = pool(server.origin, { tls: { ca: pem('ca.crt') } })
    expect((await send(to).response.over()).bytes).toBe(body.length)
  })

  test.each([
    ['an unknown CA', () => ({}), /unable to (verify|get)/],
    ['another name', () => ({ ca: pem('ca.crt'), serverName: 'other.test' }), /other\.test/],
  ])('refused: %s', async (_, tls, reason) => {
    const server = await upstream(forever, {}, { key: pem('a.key'), cert: pem('a.crt') })
    const { stream, response } = send(pool(server.origin, { tls: tls() }))
    await response.over()
    expect(response.error).toMatchObject({ code: 'GATEWAY_UPSTREAM_CONNECT', status: 502, retryable: true })
    expect(response.error?.message).toMatch(reason)
    expect(stream.untouched).toBe(true)
  })

  test('verify: false takes any certificate', async () => {
    const server = await upstream(forever, {}, { key: pem('a.key'), cert: pem('a.crt') })
    const to = pool(server.origin, { tls: { verify: false, serverName: 'other.test' } })
    expect((await send(to).response.over()).body).toBe('hello')
  })

  test('a server that speaks no TLS, and one that says nothing', async () => {
    const plain = await upstream(peer => peer.send('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const silent = await upstream(() => {})
    const wrong = send(pool(plain.origin.replace('http:', 'https:')))
    const late = send(pool(silent.origin.replace('http:', 'https:')), get(), { connect: 40 })
    expect((await wrong.response.over()).error?.code).toBe('GATEWAY_UPSTREAM_CONNECT')
    expect((await late.response.over()).error).toMatchObject({ code: 'GATEWAY_UPSTREAM_CONNECT_TIMEOUT', status: 504 })
    expect(late.stream.untouched).toBe(true)
  })

  test('an unreadable certificate shows when the pool is made', () => {
    expect(() => pool('https://127.0.0.1', { tls: { cert: 'nonsense' } })).toThrow()
  })
})

describe('ways to connect', () => {
  test('IPv6', async () => {
    const server = await upstream(forever, { host: '::1' })
    expect(server.origin).toContain('http://[::1]:')
    expect((await send(pool(server.origin)).response.over()).body).toBe('hello')
  })

  test('a Unix socket, its path percent-encoded or not', async () => {
    const server = await upstream(forever, { host: undefined, port: undefined, path: join(directory, 'a b.sock') })
    for (const origin of [server.origin, server.origin.replace(' ', '%20')]) {
      expect((await send(pool(origin)).response.over()).body).toBe('hello')
    }
    const missing = send(pool(`unix:${directory}/none.sock`))
    expect((await missing.response.over()).error).toMatchObject({
      code: 'GATEWAY_UPSTREAM_CONNECT',
      cause: { code: 'ENOENT' },
    })
  })

  test('a name with a dead address and a living one', async () => {
    const server = await upstream(forever)
    const to = pool(server.origin.replace('127.0.0.1', 'upstream.test'), {
      lookup: (_name, _options, done) =>
        done(null, [
          { address: '::1', family: 6 },
          { address: '127.0.0.1', family: 4 },
        ]),
    })
    expect((await send(to).response.over()).body).toBe('hello')
  })
})

describe('failures', () => {
  test('refused: each request hears of it', async () => {
    const to = pool(`http://127.0.0.1:${await freePort()}`, { maxConnections: 2 })
    const sent = [send(to), send(to), send(to), send(to)]
    for (const { stream, response } of sent) {
      await response.over()
      expect(response.calls).toEqual(['error'])
      expect(response.error).toMatchObject({ code: 'GATEWAY_UPSTREAM_CONNECT', cause: { code: 'ECONNREFUSED' } })
      expect(response.error?.message).toContain(to.origin)
      expect(stream.untouched).toBe(true)
    }
  })

  test('every address refused', async () => {
    const to = pool(`http://upstream.test:${await freePort()}`, {
      lookup: (_name, _options, done) =>
        done(null, [
          { address: '127.0.0.1', family: 4 },
          { address: '127.0.0.2', family: 4 },
        ]),
    })
    const { response } = send(to)
    await response.over()
    expect(response.error).toMatchObject({ code: 'GATEWAY_UPSTREAM_CONNECT', cause: { name: 'AggregateError' } })
    expect(response.error?.message).toContain('ECONNREFUSED')
  })

  test('a name that does not resolve', async () => {
    const to = pool('http://upstream.test', {
      lookup: (_name, _options, done) => done(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), ''),
    })
    const { response } = send(to)
    await response.over()
    expect(response.error).toMatchObject({ code: 'GATEWAY_UPSTREAM_CONNECT', cause: { code: 'ENOTFOUND' } })
  })

  test('nothing within the time allowed, and a later request has its own time', async () => {
    let lookups = 0
    const to = pool('http://upstream.test', { lookup: () => void lookups++ })
    const first = send(to, get(), { connect: 20 })
    await first.response.over()
    expect(first.response.error).toMatchObject({ code: 'GATEWAY_UPSTREAM_CONNECT_TIMEOUT', retryable: true })
    await expect.poll(() => to.stats).toMatchObject({ connecting: 0, queued: 0 })
    expect(lookups).toBe(1)

    const given = send(to, get(), { connect: 20 })
    given.stream.abort()
    const second = send(to)
    expect(lookups).toBe(2)
    // The attempt it hoped for runs out; it gets another.
    await expect.poll(() => lookups).toBe(3)
    expect(second.response.calls).toEqual([])
    expect(to.stats).toMatchObject({ connecting: 1, queued: 1 })
  })
})

describe('origins', () => {
  test.each([
    'example.test',
    'ftp://example.test',
    'http://',
    'http://a/path',
    'http://a/?q',
    'http://a/#f',
    'http://user@a',
    'unix:relative.sock',
    'unix://host/path',
    'unix:/a%00b',
  ])('refused: %s', origin => {
    expect(() => createEndpoint(origin)).toThrow(TypeError)
  })

  test.each(['http://a', 'http://a/', 'https://a:8443', 'http://[::1]:80', 'unix:/run/a.sock'])('taken: %s', origin => {
    expect(createEndpoint(origin).secure).toBe(origin.startsWith('https'))
  })
})
