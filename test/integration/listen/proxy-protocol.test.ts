import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createAuthority } from '../../support/certificates.ts'
import { eventually } from '../../support/eventually.ts'
import { proxyTo, type RunningGateway, startGateway } from '../../support/gateway.ts'
import { lineValue } from '../../support/message.ts'
import { recordingBackend } from '../../support/upstream.ts'
import { connect, exchange, rawRequest, requestText, type Wire } from '../../support/wire.ts'
import { tlsOver } from './tls-client.ts'

const v1 = 'PROXY TCP4 203.0.113.9 198.51.100.1 56324 443\r\n'
const signature = '\r\n\r\n\0\r\nQUIT\n'
const v2 = `${signature}\x21\x11\0\x0f${String.fromCharCode(203, 0, 113, 9, 198, 51, 100, 1)}\xdc\x04\x01\xbb\x04\0\0`
const v2local = `${signature}\x20\0\0\0`
const request = requestText('GET /', ['Connection: close'])

const proxied = { proxyProtocol: true, trust: ['127.0.0.1'] }

/** A gateway that answers with the client's address. */
function start(listen: object = {}, more: object = {}): Promise<RunningGateway> {
  return startGateway({
    listen: { ...proxied, ...listen },
    routes: {
      all: {
        match: 'ANY /*',
        reply: { status: 200 },
        onResponse(
          ctx: { client: { address: string } },
          head: { headers: { set(name: string, value: string): void } },
        ) {
          head.headers.set('X-Client', ctx.client.address)
        },
      },
    },
    ...more,
  })
}

const clientOf = async (wire: Wire) => lineValue((await wire.response()).lines, 'x-client')

const refusals = ({ log }: RunningGateway) =>
  log.all.filter(({ message }) => message === 'connection failed').map(({ level, fields }) => ({ level, ...fields }))

test.each([
  ['version 1', v1, '203.0.113.9'],
  ['version 1, IPv6', 'PROXY TCP6 2001:db8::9 2001:db8::1 56324 443\r\n', '2001:db8::9'],
  ['version 1, unknown', 'PROXY UNKNOWN\r\n', '127.0.0.1'],
  ['version 2', v2, '203.0.113.9'],
  ['version 2, local', v2local, '127.0.0.1'],
])('%s names the client, wherever it is split', async (_, header, address) => {
  const { port } = await start()
  for (let at = 1; at <= header.length; at++) {
    const wire = await connect(port)
    const whole = header + request
    wire.send(whole.slice(0, at))
    // So that both pieces are not read as one.
    await turn()
    wire.send(whole.slice(at))
    expect([at, await clientOf(wire)]).toEqual([at, address])
  }
})

test('byte by byte', async () => {
  const { port } = await start()
  for (const header of [v1, v2]) {
    const wire = await connect(port)
    for (const byte of header + request) {
      wire.send(byte)
      await turn()
    }
    expect(await clientOf(wire)).toBe('203.0.113.9')
  }
})

test('it holds for every request of the connection, and for the upstream', async () => {
  const backend = await recordingBackend()
  const { port } = await startGateway(proxyTo(backend.origin, { listen: proxied }))
  const wire = await connect(port)
  wire.send(v2)
  for (let number = 0; number < 2; number++) {
    wire.send(requestText('GET /', ['X-Forwarded-For: 1.2.3.4']))
    await wire.response()
  }
  for (const { lines } of backend.requests) {
    // The client is no trusted proxy: what it says of others does not count.
    expect(lineValue(lines, 'x-forwarded-for')).toBe('203.0.113.9')
    expect(lineValue(lines, 'x-real-ip')).toBe('203.0.113.9')
    expect(lineValue(lines, 'x-forwarded-proto')).toBe('http')
  }
})

test('a client that is a trusted proxy itself is believed', async () => {
  const { port } = await start({ trust: ['127.0.0.1', '203.0.113.0/24'] })
  const wire = await connect(port)
  wire.send(v1 + requestText('GET /', ['Connection: close', 'X-Forwarded-For: 192.0.2.44']))
  expect(await clientOf(wire)).toBe('192.0.2.44')
})

test('plugins judge the client, not the proxy', async () => {
  const asked: unknown[] = []
  const setup = () => ({
    onConnection: ({ address }: { address: string }) => {
      asked.push(address)
      return address === '203.0.113.9' ? 'drop' : undefined
    },
  })
  const { port } = await start({}, { plugins: [{ name: 'judge', definition: { name: 'judge', setup } }] })
  expect(await rawRequest(port, v1 + request)).toBe('')
  const wire = await connect(port)
  wire.send(v1.replace('.9', '.8') + request)
  expect(await clientOf(wire)).toBe('203.0.113.8')
  expect(asked).toEqual(['203.0.113.9', '203.0.113.8'])
})

test('connections of one IPv6 network are counted together', async () => {
  const gateway = await start({ limits: { connectionsPerClient: 1 } })
  const v6 = (source: string) => `PROXY TCP6 ${source} 2001:db8::1 1 2\r\n`
  const first = await connect(gateway.port)
  first.send(v6('2001:db8:1:2::3') + requestText('GET /'))
  expect(await clientOf(first)).toBe('2001:db8:1:2::3')
  expect(await rawRequest(gateway.port, v6('2001:db8:1:2:ffff::4') + request)).toBe('')
  const other = await connect(gateway.port)
  other.send(v6('2001:db8:1:3::3') + request)
  expect(await clientOf(other)).toBe('2001:db8:1:3::3')
})

test('connections are counted by client, and counted out', async () => {
  const gateway = await start({ limits: { connectionsPerClient: 1 } })
  const first = await connect(gateway.port)
  first.send(v1 + requestText('GET /'))
  expect(await clientOf(first)).toBe('203.0.113.9')
  expect(await rawRequest(gateway.port, v1 + request)).toBe('')
  const other = await connect(gateway.port)
  other.send(v1.replace('.9', '.8') + requestText('GET /'))
  expect(await clientOf(other)).toBe('203.0.113.8')
  expect(refusals(gateway)).toMatchObject([
    { client: '203.0.113.9', reason: 'there are too many connections of this client' },
  ])
  first.socket.destroy()
  await eventually(async () => {
    const again = await connect(gateway.port)
    again.send(v1 + request)
    expect(await clientOf(again)).toBe('203.0.113.9')
  })
})

test('the connections of an IPv6 client are those of its /64', async () => {
  const { port } = await start({ limits: { connectionsPerClient: 1 } })
  const header = (address: string) => `PROXY TCP6 ${address} 2001:db8::1 56324 443\r\n`
  const first = await connect(port)
  first.send(header('2001:db8:0:1::9') + requestText('GET /'))
  expect(await clientOf(first)).toBe('2001:db8:0:1::9')
  expect(await rawRequest(port, header('2001:db8:0:1:a:b:c:d') + request)).toBe('')
  expect(await rawRequest(port, header('2001:db8:0:2::9') + request)).toContain('200 OK')
  first.socket.destroy()
  await eventually(async () => expect(await rawRequest(port, header('2001:db8:0:1::8') + request)).toContain('200 OK'))
})

test('a trusted proxy may have more connections than a client', async () => {
  const { port } = await start({ proxyProtocol: false, limits: { connectionsPerClient: 1 } })
  const wires = [await connect(port), await connect(port)]
  for (const wire of wires) {
    wire.send(requestText('GET /', ['X-Forwarded-For: 203.0.113.9']))
    expect(await clientOf(wire)).toBe('203.0.113.9')
  }
})

test.each([
  ['no header', request, 'it does not begin with a PROXY header'],
  ['a header with a bad address', `PROXY TCP4 nowhere 1.2.3.4 1 2\r\n${request}`, 'its PROXY header is malformed'],
  ['an endless header', 'PROXY TCP4 '.padEnd(200, '1'), 'its PROXY header is too long'],
  [
    'a second version that nobody knows',
    `${signature}\x31\x11\0\0`,
    'its PROXY header is of an unknown version or command',
  ],
  ['a TLS hello', '\x16\x03\x01', 'it does not begin with a PROXY header'],
])('%s: closed, and a line at debug', async (_, bytes, reason) => {
  const gateway = await start()
  expect(await rawRequest(gateway.port, bytes)).toBe('')
  expect(refusals(gateway)).toEqual([{ level: 'debug', client: '127.0.0.1', port: expect.any(Number), reason }])
  expect(gateway.log.access).toEqual([])
})

test('from whom trust does not name nothing is taken, be it the real address or another', async () => {
  const gateway = await start({ trust: ['203.0.113.0/24'] })
  expect(await rawRequest(gateway.port, v1 + request)).toBe('')
  expect(refusals(gateway)).toMatchObject([{ reason: 'it is no proxy that the PROXY protocol is taken from' }])
  expect(gateway.log.access).toEqual([])
})

test('where it is not switched on a header is no HTTP', async () => {
  const { port } = await start({ proxyProtocol: false })
  expect((await exchange(port, 'GET /')).status).toBe(200)
  expect(await rawRequest(port, v1 + request)).toMatch(/^HTTP\/1\.1 400 /)
  expect(await rawRequest(port, v2 + request)).toMatch(/^HTTP\/1\.1 400 /)
})

test.each(['', 'PROXY TCP4 203', signature])(
  'a header that does not go on after %j is given up in time',
  async bytes => {
    const gateway = await start({ limits: { headTimeout: '60ms' } })
    expect(await rawRequest(gateway.port, bytes)).toBe('')
    expect(refusals(gateway)).toMatchObject([{ reason: 'it took too long to begin' }])
  },
)

test('two headers: the second is no HTTP', async () => {
  const { port } = await start()
  expect(await rawRequest(port, v1 + v1 + request)).toMatch(/^HTTP\/1\.1 400 /)
})

test('before TLS, in the same piece or before it', async () => {
  const { cert, key } = await (await createAuthority()).issue()
  const { port } = await start({ tls: { cert, key } })
  for (const header of [v1, v2]) {
    for (const together of [true, false]) {
      const wire = await tlsOver(await connect(port), { before: header, together })
      wire.send(request)
      expect(await clientOf(wire)).toBe('203.0.113.9')
    }
  }
})

/** Lets what was written go out, and be read, before more is. */
