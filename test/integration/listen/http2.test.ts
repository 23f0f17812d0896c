import { once } from 'node:events'
import { type ClientHttp2Session, connect as connectHttp2, type SecureClientSessionOptions } from 'node:http2'
import { setImmediate as turn } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { expect, test } from 'vitest'
import { createAuthority } from '../../support/certificates.ts'
import { onCleanup } from '../../support/cleanup.ts'
import { startGateway } from '../../support/gateway.ts'
import { connect, exchange, rawRequest, type Wire } from '../../support/wire.ts'
import { tlsOver } from './tls-client.ts'

const authority = await createAuthority()
const { cert, key } = await authority.issue({ names: ['DNS:gateway.test'] })
const alice = await authority.issue({ subject: '/CN=alice' })
const tls = { cert, key }

/** Answers with what a plugin sees of the client. */
const start = (listen: object = {}) =>
  startGateway({
    listen,
    routes: {
      all: {
        match: 'ANY /*',
        reply: { status: 200, body: 'hello' },
        onResponse(
          { client }: { client: { address: string; scheme: string; certificate?: { subject: string } } },
          head: { headers: { set(name: string, value: string): void } },
        ) {
          head.headers.set('X-Client', `${client.scheme} ${client.address} ${client.certificate?.subject}`)
        },
      },
    },
  })

async function session(url: string, options: SecureClientSessionOptions = {}): Promise<ClientHttp2Session> {
  const client = connectHttp2(url, { rejectUnauthorized: false, ...options })
  const closed = new Promise<void>(resolve => client.once('close', () => resolve()))
  onCleanup('clients', async () => {
    client.destroy()
    await closed
  })
  await once(client, 'connect')
  return client
}

async function get(client: ClientHttp2Session): Promise<readonly unknown[]> {
  const stream = client.request({ ':path': '/' })
  const [head] = (await once(stream, 'response')) as [Record<string, unknown>]
  let body = ''
  for await (const text of stream.setEncoding('utf8')) body += text
  return [head[':status'], head['x-client'], body]
}

test('by ALPN over TLS', async () => {
  const { gateway } = await start({ tls })
  const client = await session(gateway.addresses[0]?.url ?? '')
  expect(client.alpnProtocol).toBe('h2')
  expect(await get(client)).toEqual([200, 'https 127.0.0.1 undefined', 'hello'])
})

test('with the certificate of the client', async () => {
  const { gateway } = await start({ tls: { ...tls, clientCertificate: { ca: authority.cert, mode: 'require' } } })
  const client = await session(gateway.addresses[0]?.url ?? '', { cert: alice.cert, key: alice.key })
  expect(await get(client)).toEqual([200, 'https 127.0.0.1 CN=alice', 'hello'])
})

test('a connection of it goes on when certificates are replaced, and when it is switched off', async () => {
  const { gateway, port } = await start({ tls })
  const url = `https://127.0.0.1:${port}`
  const client = await session(url)
  const other = await authority.issue({ subject: '/CN=other' })
  const routes = { all: { match: 'ANY /*', reply: { status: 201 } } }
  const listen = { port: 0, host: '127.0.0.1', tls: { cert: other.cert, key: other.key } }
  await gateway.reload({ listen, routes })
  expect((await get(client))[0]).toBe(201)
  const newer = await session(url)
  expect((newer.socket as TLSSocket).getPeerCertificate().subject.CN).toBe('other')
  await gateway.reload({ listen: { ...listen, http2: false }, routes })
  expect([(await get(client))[0], (await get(newer))[0]]).toEqual([201, 201])
})

test('by prior knowledge in clear text, on the port of HTTP/1.1', async () => {
  const { port } = await start()
  const client = await session(`http://127.0.0.1:${port}`)
  expect(await get(client)).toEqual([200, 'http 127.0.0.1 undefined', 'hello'])
  expect((await exchange(port, 'GET /')).status).toBe(200)
})

/** RFC 9113 section 3.4, empty SETTINGS, and a GET of / with an authority of "a". */
const opening =
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + '\0\0\0\x04\0\0\0\0\0' + '\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01a'

/** The end of a DATA frame with all of the body. */
async function answered(wire: Wire): Promise<void> {
  expect(await wire.through('hello')).toBeDefined()
  wire.socket.destroy()
}

test('the preface split at every byte', async () => {
  const { port } = await start()
  for (let at = 1; at < opening.length; at++) {
    const wire = await connect(port)
    wire.send(opening.slice(0, at))
    await turn()
    wire.send(opening.slice(at))
    await answered(wire)
  }
})

test('everything byte by byte', async () => {
  const { port } = await start()
  const wire = await connect(port)
  for (const byte of opening) {
    wire.send(byte)
    await turn()
  }
  await answered(wire)
})

test('behind a PROXY header, in clear text and with TLS', async () => {
  const proxied = { proxyProtocol: true, trust: ['127.0.0.1'] }
  const clear = await start(proxied)
  for (const header of ['PROXY TCP4 203.0.113.9 1.2.3.4 1 2\r\n', '\r\n\r\n\0\r\nQUIT\n\x20\0\0\0']) {
    const wire = await connect(clear.port)
    wire.send(header + opening)
    await answered(wire)
  }
  const secure = await start({ ...proxied, tls })
  const wire = await tlsOver(await connect(secure.port), {
    before: 'PROXY TCP4 203.0.113.9 1.2.3.4 1 2\r\n',
    protocols: ['h2'],
  })
  expect(wire.socket.alpnProtocol).toBe('h2')
  wire.send(opening)
  await answered(wire)
})

test('where it is switched off the preface is a request of a version that is not spoken', async () => {
  const { port } = await start({ http2: false })
  expect(await rawRequest(port, opening)).toMatch(/^HTTP\/1\.1 505 /)
})

test('a preface that does not go on is given up in time', async () => {
  const { port } = await start({ limits: { headTimeout: '60ms' } })
  for (const at of [3, 15, 20, 24]) {
    const wire = await connect(port)
    wire.send(opening.slice(0, at))
    await wire.gone()
  }
})

test('a preface that goes wrong behind its first line ends the connection', async () => {
  const { port } = await start()
  const wire = await connect(port)
  wire.send(`${opening.slice(0, 18)}XX\r\n\r\n${opening.slice(24)}`)
  expect(await wire.rest()).not.toContain('hello')
})

/** Lets what was written go out, and be read, before more is. */
