import type { Context } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import { all, forwarded } from '../../support/forwarded.ts'
import { proxyTo, startGateway } from '../../support/gateway.ts'
import { lineValue, lineValues } from '../../support/message.ts'
import { expectProblem } from '../../support/problem.ts'
import { recordingBackend } from '../../support/upstream.ts'
import { exchange, responseText } from '../../support/wire.ts'

const uuid = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/

describe('who the client is', () => {
  const made = ['x-forwarded-for', 'x-real-ip', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded']
  const others = ['x-forwarded-port', 'x-forwarded-prefix', 'x-forwarded-user', 'x-forwarded-ssl']
  const claims = [
    'X-Forwarded-For: 6.6.6.6, 7.7.7.7',
    'X-Forwarded-For: 8.8.8.8',
    'X-Real-IP: 6.6.6.6',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Host: evil.test',
    'X-Forwarded-Port: 443',
    'X-Forwarded-Prefix: /evil',
    'X-Forwarded-User: root',
    'x-forwarded-ssl: on',
    'Forwarded: for=6.6.6.6;proto=https',
  ]

  test('says nobody else where none is trusted', async () => {
    const request = await forwarded(claims)
    expect(all(request, ...made)).toEqual(['127.0.0.1', '127.0.0.1', 'http', 'gateway.test', ''])
    expect(all(request, ...others)).toEqual(['', '', '', ''])
  })

  test('says nobody to a hook either, which may say what it likes', async () => {
    let seen: string[] = []
    const backend = await recordingBackend()
    const onRequest = ({ headers }: Context) => {
      seen = [...headers].map(([name]) => name)
      headers.set('X-Forwarded-User', 'alice')
    }
    const { port } = await startGateway(proxyTo(backend.origin, { route: { onRequest } }))
    await exchange(port, 'GET /', [...claims, 'X_Forwarded_User: root'])
    expect(seen).toEqual(['Host'])
    expect(all(backend.only, 'x-forwarded-user', 'x-forwarded-prefix')).toEqual(['alice', ''])
  })

  test('says nobody who is not among the trusted', async () => {
    const request = await forwarded(claims, ['10.0.0.0/8', '::1'])
    expect(all(request, ...made)).toEqual(['127.0.0.1', '127.0.0.1', 'http', 'gateway.test', ''])
  })

  test('says a trusted proxy: the last one in its chain that is no proxy itself', async () => {
    const request = await forwarded(claims, ['127.0.0.0/8'])
    expect(all(request, ...made)).toEqual([
      '6.6.6.6, 7.7.7.7, 8.8.8.8, 127.0.0.1',
      '8.8.8.8',
      'https',
      'evil.test',
      'for=6.6.6.6;proto=https',
    ])
    expect(all(request, ...others)).toEqual(['443', '/evil', 'root', 'on'])
    // One line: readers that look at the first line alone would miss the hop that counts.
    expect(lineValues(request.lines, 'x-forwarded-for').length).toBe(1)
  })

  test.each([
    ['6.6.6.6, 10.1.1.1, 10.2.2.2', '6.6.6.6'],
    ['1.1.1.1, 6.6.6.6, 10.2.2.2', '6.6.6.6'],
    ['10.1.1.1', '10.1.1.1'],
    ['', '127.0.0.1'],
    ['nonsense', '127.0.0.1'],
    ['6.6.6.6, nonsense, 10.1.1.1', '10.1.1.1'],
    ['6.6.6.6,', '127.0.0.1'],
    ['6.6.6.6:1234', '6.6.6.6'],
    ['[2001:db8::1]:1234, 10.1.1.1', '2001:db8::1'],
    ['::ffff:6.6.6.6', '6.6.6.6'],
    ['unknown', '127.0.0.1'],
  ])('behind trusted proxies is, of %j, %s', async (chain, client) => {
    const request = await forwarded([`X-Forwarded-For: ${chain}`], ['127.0.0.1', '10.0.0.0/8'])
    expect(all(request, 'x-real-ip')).toEqual([client])
  })

  test.each([
    ['https', 'https'],
    ['HTTPS', 'https'],
    ['http', 'http'],
    ['ftp', 'http'],
    ['', 'http'],
  ])('came by %j, so by %s, through a trusted proxy', async (told, proto) => {
    const request = await forwarded([`X-Forwarded-Proto: ${told}`], ['127.0.0.1'])
    expect(all(request, 'x-forwarded-proto')).toEqual([proto])
  })

  test('asked for the host in Host where a trusted proxy says no other', async () => {
    expect(all(await forwarded([], ['127.0.0.1']), 'x-forwarded-host')).toEqual(['gateway.test'])
  })

  test('shows in the access log', async () => {
    const backend = await recordingBackend()
    const { port, log } = await startGateway(proxyTo(backend.origin, { listen: { trust: ['127.0.0.1'] } }))
    await exchange(port, 'GET /x?secret=1', ['X-Forwarded-For: 6.6.6.6', 'X-Request-ID: r-1'])
    expect(log.access.map(line => line.fields)).toEqual([
      {
        requestId: 'r-1',
        client: '6.6.6.6',
        method: 'GET',
        host: 'gateway.test',
        path: '/x',
        route: 'all',
        target: backend.origin,
        status: 200,
        attempts: 1,
        bytesIn: 0,
        bytesOut: 5,
        durationMs: expect.any(Number),
        code: undefined,
      },
    ])
  })
})

describe('the request id', () => {
  test.each(['a', 'r-1', 'A.b_c~d+e/f=g-h:i', 'x'.repeat(128)])('%s is kept, passed on and returned', async id => {
    const backend = await recordingBackend(() => responseText(200, ['X-Request-ID: of the upstream'], 'x'))
    const { port } = await startGateway(proxyTo(backend.origin))
    const response = await exchange(port, 'GET /', [`X-Request-ID: ${id}`])
    expect([lineValue(response.lines, 'x-request-id'), lineValue(backend.only.lines, 'x-request-id')]).toEqual([id, id])
  })

  test.each([
    [''],
    ['two words'],
    ['a,b'],
    ['x'.repeat(129)],
    ['\xe9'],
    ['"quoted"'],
    ['<script>'],
    ['$(x)'],
    ['one', 'two'],
  ])('%s %s is replaced by a new one', async (...ids) => {
    const backend = await recordingBackend()
    const { port } = await startGateway(proxyTo(backend.origin))
    const response = await exchange(
      port,
      'GET /',
      ids.map(id => `X-Request-ID: ${id}`),
    )
    const made = lineValue(response.lines, 'x-request-id') ?? ''
    expect(made).toMatch(uuid)
    expect(lineValue(backend.only.lines, 'x-request-id')).toBe(made)
  })

  test('is new for each request that has none', async () => {
    const backend = await recordingBackend()
    const { port } = await startGateway(proxyTo(backend.origin))
    const ids = []
    for (let i = 0; i < 3; i++) ids.push(lineValue((await exchange(port, 'GET /')).lines, 'x-request-id'))
    expect(new Set(ids).size).toBe(3)
    expect(ids).toEqual(backend.requests.map(request => lineValue(request.lines, 'x-request-id')))
  })

  test('is returned on errors and on answers of the gateway itself', async () => {
    const gateway = await startGateway({
      routes: {
        own: { match: 'GET /own', reply: { status: 200, headers: { 'X-Request-ID': 'not this' } } },
        away: { match: 'GET /away', redirect: '/own' },
      },
    })
    for (const path of ['/own', '/away', '/nowhere']) {
      const response = await exchange(gateway.port, `GET ${path}`, ['X-Request-ID: r-1'])
      expect(lineValue(response.lines, 'x-request-id')).toBe('r-1')
      if (path === '/nowhere') expectProblem(gateway, response, 'GATEWAY_ROUTE_NOT_FOUND')
    }
  })
})
