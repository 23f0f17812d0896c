import { access } from '@gateway/access'
import { createGateway, defineConfig, silentLog } from '@gateway/core'
import { pluginSuite } from '@gateway/testing'
import { describe, expect, test } from 'vitest'
import { proxyTo, startGateway } from '../../../test/support/gateway.ts'
import type { Message } from '../../../test/support/message.ts'
import { answering, recordingBackend } from '../../../test/support/upstream.ts'
import { connect, exchange, requestText, responseText } from '../../../test/support/wire.ts'

type Rules = NonNullable<Parameters<typeof access>[0]>

for (const { name, run } of pluginSuite(() => access(), {
  routeOptions: { allow: ['10.0.0.0/8', '0.0.0.0/0', '::/0'] },
}))
  test(name, run)

async function startWith(rules: Rules, route: Rules | false | undefined = undefined) {
  const backend = await recordingBackend(() => responseText(200, ['Server: Any/1', 'X-Frame-Options: SAMEORIGIN']))
  const { port } = await startGateway(
    proxyTo(backend.origin, {
      plugins: [access(rules)],
      route: route === undefined ? {} : { access: route },
      listen: { trust: ['127.0.0.0/8'] },
    }),
  )
  return { backend, port }
}

/** Status and problem code of a request. */
async function ask(port: number, request: string, lines: string[] = [], body = ''): Promise<string> {
  const message = await exchange(port, request, lines, body)
  const code = message.body.startsWith('{') ? (JSON.parse(message.body) as { code: string }).code : ''
  return `${message.status} ${code}`.trim()
}

/** Value of the only such line, undefined when there is none. */
function field({ lines }: Message, name: string): string | undefined {
  const values = lines.filter(line => line.toLowerCase().startsWith(`${name}:`))
  expect(values.length).toBeLessThan(2)
  return values[0]?.slice(name.length + 2)
}

describe('addresses', () => {
  test.each<[Rules, string, string]>([
    [{ allow: ['10.0.0.0/8'] }, '10.1.2.3', '200'],
    [{ allow: ['10.0.0.0/8'] }, '11.1.2.3', '403 ACCESS_ADDRESS_REFUSED'],
    [{ allow: ['2001:db8::/32'] }, '2001:db8::7', '200'],
    [{ allow: ['2001:db8::/32'] }, '2001:db9::7', '403 ACCESS_ADDRESS_REFUSED'],
    [{ deny: ['2001:db8::/32'] }, '2001:db8::7', '403 ACCESS_ADDRESS_REFUSED'],
    [{ deny: ['192.0.2.7'] }, '192.0.2.7', '403 ACCESS_ADDRESS_REFUSED'],
    [{ deny: ['192.0.2.7'] }, '192.0.2.8', '200'],
    [{ deny: ['192.0.2.7'] }, '::ffff:192.0.2.7', '403 ACCESS_ADDRESS_REFUSED'],
    [{ allow: ['192.0.2.0/24'], deny: ['192.0.2.7'] }, '192.0.2.7', '403 ACCESS_ADDRESS_REFUSED'],
    [{ allow: [] }, '192.0.2.7', '403 ACCESS_ADDRESS_REFUSED'],
    [{ deny: [] }, '192.0.2.7', '200'],
  ])('%j: %s gets %s', async (rules, address, expected) => {
    const { port } = await startWith(rules)
    expect(await ask(port, 'GET /', [`X-Forwarded-For: ${address}`])).toBe(expected)
  })

  test('are those of the connection where nobody is trusted', async () => {
    const backend = await recordingBackend()
    const rules = access({ allow: ['10.0.0.0/8'] })
    const { port } = await startGateway(proxyTo(backend.origin, { plugins: [rules] }))
    expect(await ask(port, 'GET /', ['X-Forwarded-For: 10.0.0.1'])).toBe('403 ACCESS_ADDRESS_REFUSED')
    expect(backend.requests).toEqual([])
  })
})

describe('requests', () => {
  const json = 'Content-Type: application/json'
  test.each<[Rules, string, string[], string, string]>([
    [{ methods: ['GET'] }, 'GET /', [], '', '200'],
    [{ methods: ['GET'] }, 'POST /', [], 'x', '405 ACCESS_METHOD_REFUSED'],
    [{ requiredHeaders: ['X-Tenant'] }, 'GET /', ['x-tenant: a'], '', '200'],
    [{ requiredHeaders: ['X-Tenant'] }, 'GET /', [], '', '400 ACCESS_HEADER_MISSING'],
    [{ requiredHeaders: ['X-Tenant'] }, 'GET /', ['X-Tenant:'], '', '400 ACCESS_HEADER_MISSING'],
    [{ requiredHeaders: ['__proto__'] }, 'GET /', [], '', '400 ACCESS_HEADER_MISSING'],
    [{ contentTypes: ['application/json'] }, 'POST /', [json], '{}', '200'],
    [{ contentTypes: ['application/json'] }, 'POST /', ['Content-Type: Application/JSON ; charset=utf-8'], '{}', '200'],
    [
      { contentTypes: ['application/json'] },
      'POST /',
      ['Content-Type: text/plain'],
      'x',
      '415 ACCESS_CONTENT_TYPE_REFUSED',
    ],
    [
      { contentTypes: ['application/json'] },
      'POST /',
      ['Content-Type: application/jsonx'],
      'x',
      '415 ACCESS_CONTENT_TYPE_REFUSED',
    ],
    [{ contentTypes: ['application/json'] }, 'POST /', [], 'x', '415 ACCESS_CONTENT_TYPE_REFUSED'],
    [{ contentTypes: ['application/json'] }, 'GET /', [], '', '200'],
    [{ contentTypes: ['image/*'] }, 'POST /', ['Content-Type: image/png'], 'x', '200'],
    [{ contentTypes: ['image/*'] }, 'POST /', ['Content-Type: imagex/png'], 'x', '415 ACCESS_CONTENT_TYPE_REFUSED'],
    [{ contentTypes: ['application/*+json'] }, 'POST /', ['Content-Type: application/problem+json'], 'x', '200'],
    [{ contentTypes: ['application/*+json'] }, 'POST /', [json], 'x', '415 ACCESS_CONTENT_TYPE_REFUSED'],
    [{ maxBodySize: 4 }, 'POST /', [], 'abcd', '200'],
    [{ maxBodySize: 4 }, 'POST /', [], 'abcde', '413 ACCESS_BODY_TOO_LARGE'],
    [{ maxBodySize: 0 }, 'POST /', ['Content-Length: 0'], '', '200'],
    [{ maxBodySize: 4 }, 'POST /', ['Transfer-Encoding: chunked'], '2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n', '200'],
    [
      { maxBodySize: 4 },
      'POST /',
      ['Transfer-Encoding: chunked'],
      '2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n',
      '413 ACCESS_BODY_TOO_LARGE',
    ],
  ])('%j: %s %j %j gets %s', async (rules, request, lines, body, expected) => {
    const { port } = await startWith(rules)
    expect(await ask(port, request, lines, body)).toBe(expected)
  })

  test('HEAD goes with GET, and a refused method hears the others', async () => {
    const { port } = await startWith({ methods: ['GET', 'PUT'] })
    expect((await exchange(port, 'HEAD /')).status).toBe(200)
    const refused = await exchange(port, 'DELETE /')
    expect(field(refused, 'allow')).toBe('GET, PUT, HEAD')
  })

  test('a body within the limit keeps its length on its way', async () => {
    const { port, backend } = await startWith({ maxBodySize: '1kb' })
    await exchange(port, 'POST /', [], 'abcd')
    expect(field(backend.only, 'content-length')).toBe('4')
  })

  test('a body that grows beyond the limit while the upstream listens is cut off there, and answered here', async () => {
    const { origin } = await answering('')
    const { port } = await startGateway(proxyTo(origin, { plugins: [access({ maxBodySize: 4 })] }))
    const client = await connect(port)
    client.send(requestText('POST /', ['Transfer-Encoding: chunked'], '4\r\nabcd\r\n'))
    client.send('1\r\ne\r\n')
    expect((await client.response()).status).toBe(413)
  })
})

describe('a route', () => {
  test('replaces single rules of the gateway', async () => {
    const { port } = await startWith({ deny: ['192.0.2.7'], methods: ['GET'] }, { methods: ['POST'] })
    expect(await ask(port, 'GET /')).toBe('405 ACCESS_METHOD_REFUSED')
    expect(await ask(port, 'POST /', ['X-Forwarded-For: 192.0.2.7'], 'x')).toBe('403 ACCESS_ADDRESS_REFUSED')
  })

  test('lifts all of them', async () => {
    const { port } = await startWith({ allow: [] }, false)
    expect(await ask(port, 'GET /')).toBe('200')
  })
})

describe('answers', () => {
  test('get the fields that the upstream left out, and lose those that are hidden', async () => {
    const { port } = await startWith({ securityHeaders: true, hideHeaders: ['server'] })
    const answer = await exchange(port, 'GET /')
    expect(field(answer, 'x-content-type-options')).toBe('nosniff')
    expect(field(answer, 'referrer-policy')).toBe('no-referrer')
    expect(field(answer, 'x-frame-options')).toBe('SAMEORIGIN')
    expect(field(answer, 'server')).toBeUndefined()
    expect(field(answer, 'strict-transport-security')).toBeUndefined()
  })

  test('keep quiet about what is switched off, and tell what is set', async () => {
    const rules = {
      contentTypeOptions: false,
      referrerPolicy: 'origin',
      contentSecurityPolicy: "default-src 'none'",
    } as const
    const { port } = await startWith({ securityHeaders: rules })
    const answer = await exchange(port, 'GET /')
    expect(field(answer, 'x-content-type-options')).toBeUndefined()
    expect(field(answer, 'referrer-policy')).toBe('origin')
    expect(field(answer, 'content-security-policy')).toBe("default-src 'none'")
  })

  test.each([
    ['https', 'max-age=15552000'],
    ['http', undefined],
  ])('to a client of %s have the HSTS %s', async (scheme, expected) => {
    const { port } = await startWith({ securityHeaders: true })
    const answer = await exchange(port, 'GET /', [`X-Forwarded-Proto: ${scheme}`])
    expect(field(answer, 'strict-transport-security')).toBe(expected)
  })

  test('of the gateway itself have them as well', async () => {
    const { port } = await startWith({ securityHeaders: true, allow: [] })
    expect(field(await exchange(port, 'GET /'), 'x-content-type-options')).toBe('nosniff')
  })
})

describe('a config is refused', () => {
  test.each<[unknown, RegExp]>([
    [{ allow: ['10.0.0.0/33'] }, /must be an address or a CIDR.*access|plugins/s],
    [{ deny: ['example.com'] }, /must be an address or a CIDR/],
    [{ methods: ['get'] }, /capital letters/],
    [{ contentTypes: ['json'] }, /must be a media type/],
    [{ contentTypes: ['Application/Json'] }, /lower case/],
    [{ maxBodySize: '4 apples' }, /must be a size/],
    [{ requiredHeaders: ['X Tenant'] }, /name of a header field/],
    [{ securityHeaders: { hsts: 'long' } }, /duration/],
    [{ securityHeaders: { contentSecurityPolicy: 'a\nb' } }, /text that a header field can hold/],
  ])('%j', async (rules, message) => {
    const config = defineConfig({ plugins: [access(rules as Rules)], routes: {} })
    await expect(createGateway(config, { log: silentLog })).rejects.toThrow(message)
  })
})
