import { describe, expect, test } from 'vitest'
import { createAuthority, type Issued } from '../../support/certificates.ts'
import { type RunningGateway, startGateway } from '../../support/gateway.ts'
import { requestText } from '../../support/wire.ts'
import { connectTls, failure, getTls, sessionFrom } from './tls-client.ts'

const authority = await createAuthority('Clients')
const others = await createAuthority('Others')
const server = await others.issue({ names: ['DNS:gateway.test'] })
const alice = await authority.issue({ subject: '/O=Example/CN=alice', names: ['URI:spiffe://test/alice'] })
const expired = await authority.issue({ subject: '/CN=late', days: -1 })
const stranger = await others.issue({ subject: '/O=Example/CN=alice' })

const pair = ({ cert, key }: Issued) => ({ cert, key })
const seen = 'X-Seen'

function config(clientCertificate: object | undefined, listen: object = {}) {
  return {
    listen: { port: 0, host: '127.0.0.1', tls: { ...pair(server), clientCertificate }, ...listen },
    routes: {
      all: {
        match: 'GET /*',
        reply: { status: 200 },
        onResponse(
          ctx: { client: { certificate: unknown } },
          head: { headers: { set(name: string, value: string): void } },
        ) {
          head.headers.set(seen, JSON.stringify(ctx.client.certificate ?? null))
        },
      },
    },
  }
}

function start(mode: 'require' | 'optional', listen?: object): Promise<RunningGateway> {
  return startGateway(config({ ca: authority.cert, mode }, listen))
}

/** What a plugin is shown of the client's certificate. */
async function shown(port: number, options: object = {}, lines: readonly string[] = []): Promise<unknown> {
  const wire = await connectTls(port, options)
  wire.send(requestText('GET /', [...lines, 'Connection: close']))
  const response = await wire.response()
  return JSON.parse(response.lines.find(line => line.startsWith(seen))?.slice(seen.length + 1) ?? '')
}

const ofAlice = {
  subject: 'CN=alice,O=Example',
  issuer: 'CN=Clients',
  subjectAltName: ['URI:spiffe://test/alice'],
  fingerprint256: expect.stringMatching(/^[\dA-F:]{95}$/),
  serialNumber: expect.stringMatching(/^[\dA-F]+$/),
  validTo: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
}

const versions = ['TLSv1.2', 'TLSv1.3'] as const

describe.each(versions)('%s, required', version => {
  const at = { minVersion: version, maxVersion: version }

  test('a valid certificate reaches plugins', async () => {
    const { port } = await start('require')
    expect(await shown(port, { ...pair(alice), ...at })).toEqual(ofAlice)
  })

  test.each([
    ['none', {}],
    ['one of another authority', pair(stranger)],
    ['an expired one', pair(expired)],
    ['one that its holder signed', pair(others)],
  ])('%s is refused', async (_, options) => {
    const { port, log } = await start('require')
    expect(await failure(port, { ...options, ...at })).toMatch(/^ERR_SSL_|^closed$|ECONNRESET/)
    expect(log.access).toEqual([])
  })

  test('a resumed session brings its certificate along', async () => {
    const { port } = await start('require')
    const session = await sessionFrom(port, { ...pair(alice), ...at })
    expect(await shown(port, { session, ...at })).toEqual(ofAlice)
  })
})

describe.each(versions)('%s, optional', version => {
  const at = { minVersion: version, maxVersion: version }

  test('a valid certificate reaches plugins; none, and one that is not valid, are none to them', async () => {
    const { port } = await start('optional')
    expect(await shown(port, { ...pair(alice), ...at })).toEqual(ofAlice)
    for (const options of [{}, pair(stranger), pair(expired), pair(others)]) {
      expect(await shown(port, { ...options, ...at })).toBeNull()
    }
  })

  test('a resumed session is worth what the first was', async () => {
    const { port } = await start('optional')
    for (const [options, certificate] of [
      [pair(alice), ofAlice],
      [pair(stranger), null],
      [{}, null],
    ] as const) {
      const session = await sessionFrom(port, { ...options, ...at })
      const wire = await connectTls(port, { session, ...at })
      expect(wire.socket.isSessionReused()).toBe(true)
      expect(await shown(port, { session, ...at })).toEqual(certificate)
    }
  })

  test('a session outlives neither the authorities nor the mode that it was made under', async () => {
    const { gateway, port } = await start('optional', { port: 0 })
    const session = await sessionFrom(port, { ...pair(alice), ...at })
    const without = await sessionFrom(port, at)
    await gateway.reload(config({ ca: others.cert, mode: 'optional' }))
    expect(await shown(port, { session, ...at })).toBeNull()
    await gateway.reload(config({ ca: authority.cert, mode: 'require' }))
    expect(await failure(port, { session: without, ...at })).toMatch(/^ERR_SSL_|^closed$|ECONNRESET/)
    expect(await shown(port, { ...pair(alice), ...at })).toEqual(ofAlice)
  })
})

test('a listener that asks for none is shown none', async () => {
  const { port } = await startGateway(config(undefined))
  expect(await shown(port, pair(alice))).toBeNull()
})

test('the certificate of a trusted proxy is not that of the client it speaks for', async () => {
  const { port } = await start('require', { trust: ['127.0.0.1'] })
  expect(await shown(port, pair(alice))).toEqual(ofAlice)
  for (const value of ['203.0.113.9', 'nonsense', '']) {
    expect(await shown(port, pair(alice), [`X-Forwarded-For: ${value}`])).toBeNull()
  }
})

test('from whom trust does not name X-Forwarded-For changes nothing', async () => {
  const { port } = await start('require')
  expect(await shown(port, pair(alice), ['X-Forwarded-For: 203.0.113.9'])).toEqual(ofAlice)
})

test('why a certificate was refused stands in the log', async () => {
  const { port, log } = await start('require')
  await failure(port, pair(expired))
  await expect
    .poll(() => log.all.map(({ fields }) => 'reason' in fields && fields.reason))
    .toContainEqual("the client's certificate was refused: CERT_HAS_EXPIRED")
  expect((await getTls(port, pair(alice))).status).toBe(200)
})
