import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { createAuthority } from '../../support/certificates.ts'
import { eventually } from '../../support/eventually.ts'
import { type RunningGateway, startGateway } from '../../support/gateway.ts'
import { connect, rawRequest, requestText } from '../../support/wire.ts'
import { connectTls, failure, getTls, tlsOver } from './tls-client.ts'

const { cert, key } = await (await createAuthority()).issue({ names: ['DNS:gateway.test'] })

function start(listen: object = {}): Promise<RunningGateway> {
  return startGateway({ listen, routes: { all: { match: 'ANY /*', reply: { status: 200, body: 'hello' } } } })
}

const secure = (listen: object = {}) => start({ tls: { cert, key }, ...listen })

const reasons = ({ log }: RunningGateway) =>
  log.all.flatMap(({ message, fields }) =>
    message === 'connection failed' && 'reason' in fields ? [fields.reason] : [],
  )

const soon = { limits: { headTimeout: '60ms' } }

describe('clear text', () => {
  test.each(['G', 'P', 'PR', 'PRI', 'PRI *'])(
    'a request of which %j comes alone is HTTP/1.1 all the same',
    async begin => {
      const { port } = await start()
      const wire = await connect(port)
      wire.send(begin)
      await turn()
      wire.send(begin === 'G' ? 'ET / HTTP/1.1\r\nHost: a\r\n\r\n' : `X / HTTP/1.1\r\nHost: a\r\n\r\n`)
      expect((await wire.response()).status).toBe(begin === 'PRI *' ? 400 : 200)
    },
  )

  test('a request in single bytes', async () => {
    const { port } = await start()
    const wire = await connect(port)
    for (const byte of requestText('PUT /', ['Connection: close'], 'body')) {
      wire.send(byte)
      await turn()
    }
    expect(await wire.response()).toMatchObject({ status: 200, body: 'hello' })
  })

  test('several at once, and the end right after them', async () => {
    const { port } = await start()
    const wire = await connect(port)
    wire.send(requestText('GET /') + requestText('GET /', ['Connection: close']))
    wire.socket.end()
    expect(await wire.response()).toMatchObject({ status: 200 })
  })

  test.each([true, false])('a silent client is closed in time (HTTP/2: %s)', async http2 => {
    const gateway = await start({ ...soon, http2 })
    expect(await rawRequest(gateway.port, '')).toBe('')
  })

  test('a client that comes and goes leaves nothing', async () => {
    const gateway = await start()
    for (let i = 0; i < 50; i++) {
      const wire = await connect(gateway.port)
      if (i % 3 === 0) wire.socket.resetAndDestroy()
      else if (i % 3 === 1) wire.socket.end()
      else wire.socket.destroy()
    }
    const wire = await connect(gateway.port)
    wire.send('PRI')
    wire.socket.end()
    await wire.gone()
  })
})

describe('plain HTTP on a TLS port', () => {
  test('is told so, and closed', async () => {
    const gateway = await secure()
    const wire = await connect(gateway.port)
    wire.send(requestText('GET /'))
    const response = await wire.response()
    expect(response.status).toBe(400)
    expect(JSON.parse(response.body)).toMatchObject({
      title: 'This port speaks TLS: use https',
      code: 'GATEWAY_BAD_REQUEST',
    })
    expect(response.lines).toContainEqual('Connection: close')
    await wire.gone()
    expect(reasons(gateway)).toEqual(['it does not speak TLS'])
    // It never was a request of the gateway's.
    expect(gateway.log.access).toEqual([])
  })

  test('with a body, and as HEAD', async () => {
    const { port } = await secure()
    expect(await rawRequest(port, requestText('POST /', [], 'x'.repeat(10_000)))).toMatch(/^HTTP\/1\.1 400 /)
    expect(await rawRequest(port, requestText('HEAD /'))).toMatch(/^HTTP\/1\.1 400 [\s\S]*\r\n\r\n$/)
  })

  test.each([
    '\0',
    '\x80\x2e\x01\x03\x01',
    '\r\n\r\n',
    'SSH-2.0-x\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\x15\x03\x01\0\x02\x02\x28',
  ])('%j is no TLS and ends at once or in time', async bytes => {
    const gateway = await secure(soon)
    expect(await rawRequest(gateway.port, bytes)).toMatch(/^(HTTP\/1\.1 (400|505) |$)/)
    expect((await getTls(gateway.port)).status).toBe(200)
  })
})

describe('a handshake', () => {
  test.each(['', '\x16', '\x16\x03\x01', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03'])(
    'that stops after %j is given up in time',
    async bytes => {
      const gateway = await secure(soon)
      expect(await rawRequest(gateway.port, bytes)).toBe('')
      expect(reasons(gateway)).toEqual(['it took too long to begin'])
    },
  )

  test('whose client never answers the first flight is given up in time', async () => {
    const gateway = await secure(soon)
    const tcp = await connect(gateway.port)
    const never = new Promise<void>(() => {})
    tlsOver(tcp, { split: 200, until: never }).catch(() => {})
    await tcp.gone()
    expect(reasons(gateway)).toEqual(['it took too long to begin'])
  })

  test.each([
    ['reset', (wire: { socket: { resetAndDestroy(): void } }) => wire.socket.resetAndDestroy()],
    ['ended', (wire: { socket: { end(): void } }) => wire.socket.end()],
  ])('that is %s within is counted out', async (_, leave) => {
    const gateway = await secure()
    for (const bytes of ['', '\x16', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03']) {
      const wire = await connect(gateway.port)
      wire.send(bytes)
      await turn()
      leave(wire)
      await wire.gone()
    }
    // The gateway's own check waits for the connections to be gone, and fails the test if they stay.
  })

  test('that is nonsense after its first byte', async () => {
    const gateway = await secure()
    for (const bytes of [
      '\x16\x03\x01\0\x01\0',
      `\x16\x03\x01\xff\xff${'x'.repeat(5000)}`,
      `\x16${'GET / HTTP/1.1\r\n'.repeat(20)}`,
    ]) {
      const wire = await connect(gateway.port)
      wire.send(bytes)
      wire.socket.end()
      await wire.gone()
    }
    await eventually(() => expect(reasons(gateway)).toHaveLength(3))
    expect((await getTls(gateway.port)).status).toBe(200)
  })

  test('that fails is logged at debug with its reason', async () => {
    const gateway = await secure({ tls: { cert, key, minVersion: 'TLSv1.3' } })
    await failure(gateway.port, { maxVersion: 'TLSv1.2' })
    await eventually(() => expect(reasons(gateway)).toEqual(['unsupported protocol']))
    expect(gateway.log.all.filter(({ level }) => level !== 'debug')).toEqual([])
  })

  test('under way counts as a connection of its client', async () => {
    const gateway = await secure({ limits: { connectionsPerClient: 2 } })
    const half = await connect(gateway.port)
    half.send('\x16')
    const whole = await connectTls(gateway.port)
    expect(await rawRequest(gateway.port, '')).toBe('')
    half.socket.destroy()
    await eventually(async () => expect((await getTls(gateway.port)).status).toBe(200))
    whole.send(requestText('GET /'))
    expect((await whole.response()).status).toBe(200)
  })

  test('under way when the gateway closes does not hold it up', async () => {
    const { gateway, port } = await secure()
    const half = await connect(port)
    half.send('\x16\x03\x01')
    await turn()
    await gateway.close()
    await half.gone()
  })
})

test('a thousand handshakes, half of them cut short, leave nothing', async () => {
  const gateway = await secure({ limits: { connectionsPerClient: 0 } })
  let served = 0
  const one = async (number: number) => {
    if (number % 4 === 0)
      return void (await failure(gateway.port, {
        maxVersion: 'TLSv1.1',
        minVersion: 'TLSv1.1',
        ciphers: 'ALL:@SECLEVEL=0',
      }))
    if (number % 4 === 2) {
      const wire = await connect(gateway.port)
      wire.send('\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03')
      return void wire.socket.destroy()
    }
    const { status } = await getTls(gateway.port)
    if (status === 200) served++
  }
  for (let batch = 0; batch < 20; batch++) {
    await Promise.all(Array.from({ length: 50 }, (_, index) => one(batch * 50 + index)))
  }
  expect(served).toBe(500)
  await eventually(() => expect(reasons(gateway)).toHaveLength(500))
})

test('a client that resets right after its handshake', async () => {
  const gateway = await secure()
  for (let i = 0; i < 20; i++) {
    const tcp = await connect(gateway.port)
    const { socket } = await tlsOver(tcp, {})
    const closed = once(socket, 'close').catch(() => {})
    tcp.socket.resetAndDestroy()
    await closed
  }
  expect((await getTls(gateway.port)).status).toBe(200)
})

/** Lets what was written go out, and be read, before more is. */
