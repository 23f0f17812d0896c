import { describe, expect, test } from 'vitest'
import { all, forwarded } from '../../support/forwarded.ts'
import { proxyTo, startGateway } from '../../support/gateway.ts'
import { lineValue, lineValues, without } from '../../support/message.ts'
import { recordingBackend } from '../../support/upstream.ts'
import { exchange, responseText } from '../../support/wire.ts'
import { hooked, startProxy } from '../plugins/support.ts'

describe('a request', () => {
  test('goes up as it came, with the fields of the gateway and without those of the hop', async () => {
    const backend = await recordingBackend()
    const { port } = await startGateway(proxyTo(backend.origin))
    await exchange(port, 'GET /', ['Host: shop.test', 'Accept: */*', 'Cookie: a=1', 'X-Request-ID: r-1', 'Cookie: b=2'])
    expect(backend.only.lines.toSorted()).toEqual([
      'Accept: */*',
      'Cookie: a=1',
      'Cookie: b=2',
      `Host: ${new URL(backend.origin).host}`,
      'Via: 1.1 gateway',
      'X-Forwarded-For: 127.0.0.1',
      'X-Forwarded-Host: shop.test',
      'X-Forwarded-Proto: http',
      'X-Real-IP: 127.0.0.1',
      'X-Request-ID: r-1',
    ])
  })

  test.each([
    ['Connection: X-Secret, close, x-other', 'X-Secret: 1', 'X-Other: 2'],
    ['Connection: x-secret', 'connection: x-OTHER', 'X-Secret: 1', 'X-Other: 2'],
    ['Connection: keep-alive, ,, X-Secret ,x-other', 'X-Secret: 1', 'X-Secret: 3', 'X-Other: 2'],
    ['Keep-Alive: timeout=5', 'Proxy-Connection: keep-alive'],
    ['TE: trailers, deflate;q=0.5', 'Connection: TE'],
    ['TE: trailers'],
    ['Trailer: X-Sum'],
    ['Upgrade: h2c', 'Connection: Upgrade, HTTP2-Settings', 'HTTP2-Settings: AAMAAABkAAQAAP__'],
    ['Upgrade: h2c'],
    ['Upgrade: TLS/1.0', 'Connection: upgrade'],
    ['Proxy-Authorization: Basic eA==', 'Proxy-Authenticate: Basic'],
  ])('loses %s on the way', async (...lines) => {
    const names = [...lines.map(line => line.split(':')[0]?.toLowerCase()), 'connection']
    const request = await forwarded([...lines, 'X-Kept: yes'])
    expect(request.lines.filter(line => names.includes(line.split(':')[0]?.toLowerCase()))).toEqual([])
    expect(lineValue(request.lines, 'x-kept')).toBe('yes')
  })

  test('keeps its Host and what the gateway says, also when Connection names them', async () => {
    const request = await forwarded([
      'Connection: Host, Via, X-Forwarded-For, X-Real-IP, X-Request-ID',
      'X-Request-ID: r-1',
    ])
    expect(all(request, 'host', 'via', 'x-forwarded-for', 'x-real-ip', 'x-request-id')).toEqual([
      expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      '1.1 gateway',
      '127.0.0.1',
      '127.0.0.1',
      'r-1',
    ])
  })

  test('keeps what a plugin adds, also when Connection names it', async () => {
    const backend = await recordingBackend()
    const identify = hooked('identify', { onRequest: ({ headers }) => headers.set('X-User', 'anna') })
    const { port } = await startProxy(backend.origin, [identify])
    await exchange(port, 'GET /', ['Connection: X-User, X-Secret', 'X-User: mallory', 'X-Secret: 1'])
    expect(all(backend.only, 'x-user', 'x-secret')).toEqual(['anna', ''])
  })

  test('keeps what a trusted proxy says of the client, also when Connection names it', async () => {
    const claims = ['X-Forwarded-For: 6.6.6.6', 'X-Forwarded-Host: shop.test', 'X-Forwarded-Port: 443']
    const connection = 'Connection: X-Forwarded-For, x-forwarded-host, X-Forwarded-Port, Forwarded'
    const request = await forwarded([...claims, 'Forwarded: for=6.6.6.6', connection], ['127.0.0.1'])
    expect(all(request, 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-port', 'forwarded', 'x-real-ip')).toEqual([
      '6.6.6.6, 127.0.0.1',
      'shop.test',
      '443',
      'for=6.6.6.6',
      '6.6.6.6',
    ])
  })

  test('adds to the Via that came', async () => {
    expect(all(await forwarded(['Via: 1.0 fred']), 'via')).toEqual(['1.0 fred, 1.1 gateway'])
  })

  test('may have fields named like properties of every object', async () => {
    const request = await forwarded(['__proto__: {"a":1}', 'constructor: c', 'toString: t', 'hasOwnProperty: h'])
    expect(all(request, '__proto__', 'constructor', 'tostring', 'hasownproperty')).toEqual(['{"a":1}', 'c', 't', 'h'])
  })

  test.each([
    'X_Forwarded_For: 6.6.6.6',
    'X-Forwarded_For: 6.6.6.6',
    'x_forwarded-for: 6.6.6.6',
    'X_FORWARDED_PROTO: https',
    'X_Forwarded_Host: evil.test',
    'X-Forwarded_Port: 1',
    'X_Forwarded_Prefix: /evil',
    'X_Real_IP: 6.6.6.6',
    'X-Real_IP: 6.6.6.6',
    'X_Forwarded_User: evil',
    'X_Request_ID: evil',
    'X-Request_Id: evil',
  ])('loses %s, which a server could take for the gateway’s own', async line => {
    for (const trust of ['none', ['127.0.0.1']] as const) {
      const request = await forwarded([line, 'X_Own: kept'], trust)
      expect(request.lines.filter(each => each.includes('_'))).toEqual(['X_Own: kept'])
    }
  })
})

describe('a response', () => {
  test.each([
    ['Connection: X-Secret, close', 'X-Secret: 1'],
    ['Connection: keep-alive, x-secret', 'X-Secret: 1', 'Keep-Alive: timeout=5, max=100'],
    ['Keep-Alive: timeout=5'],
    ['Proxy-Connection: close'],
    ['Proxy-Authenticate: Basic'],
    ['Upgrade: h2c', 'Connection: Upgrade'],
    ['Upgrade: h2c'],
    ['TE: trailers'],
    ['Trailer: X-Sum'],
  ])('loses %s on the way', async (...lines) => {
    const backend = await recordingBackend(() => responseText(200, [...lines, 'X-Kept: yes'], 'x'))
    const { port } = await startGateway(proxyTo(backend.origin))
    const response = await exchange(port, 'GET /', ['X-Request-ID: r-1'])
    expect(without(response.lines, 'date')).toEqual([
      'X-Kept: yes',
      'X-Request-ID: r-1',
      'Content-Length: 1',
      'Connection: close',
    ])
  })
})

describe('header rules of a route', () => {
  const rules = {
    remove: ['X-Gone', 'accept'],
    set: { 'X-Set': 'new', 'User-Agent': 'gateway' },
    append: { 'X-More': 'added', 'X-Set': 'appended' },
  }

  test('change what goes up, in the order remove, set, append', async () => {
    const backend = await recordingBackend()
    const { port } = await startGateway(proxyTo(backend.origin, { route: { requestHeaders: rules } }))
    await exchange(port, 'GET /', [
      'x-gone: 1',
      'X-GONE: 2',
      'Accept: */*',
      'x-set: old',
      'X-Set: older',
      'X-More: first',
    ])
    const { lines } = backend.only
    expect(['x-gone', 'accept', 'x-set', 'x-more', 'user-agent'].map(name => lineValues(lines, name))).toEqual([
      [],
      [],
      ['new', 'appended'],
      ['first', 'added'],
      ['gateway'],
    ])
  })

  test('may take off what the gateway adds', async () => {
    const backend = await recordingBackend()
    const requestHeaders = { remove: ['Via', 'X-Forwarded-For', 'X-Real-IP'], set: { 'X-Forwarded-Proto': 'https' } }
    const { port } = await startGateway(proxyTo(backend.origin, { route: { requestHeaders } }))
    await exchange(port, 'GET /')
    expect(all(backend.only, 'via', 'x-forwarded-for', 'x-real-ip', 'x-forwarded-proto')).toEqual(['', '', '', 'https'])
  })

  test('change what comes back, from upstream and from the gateway, errors included', async () => {
    const backend = await recordingBackend(() => responseText(200, ['x-gone: 1', 'X-Set: old', 'X-More: first'], 'x'))
    const config = proxyTo(backend.origin, { service: { pool: { connections: 1, queue: 0 } } })
    const responseHeaders = {
      remove: ['X-Gone', 'Cache-Control'],
      set: { 'X-Set': 'new' },
      append: { 'X-More': 'added' },
    }
    const gateway = await startGateway({
      services: { ...(config.services as object), dead: { targets: ['http://127.0.0.1:1'] } },
      routes: {
        up: { match: 'GET /up', service: 'backend', responseHeaders },
        own: {
          match: 'GET /own',
          reply: { status: 200, headers: { 'X-Gone': '1', 'X-More': 'first' } },
          responseHeaders,
        },
        away: { match: 'GET /away', redirect: '/own', responseHeaders },
        dead: { match: 'GET /dead', service: 'dead', responseHeaders },
      },
    })
    const seen: Record<string, string[][]> = {}
    for (const path of ['/up', '/own', '/away', '/dead']) {
      const { lines } = await exchange(gateway.port, `GET ${path}`)
      seen[path] = ['x-gone', 'cache-control', 'x-set', 'x-more'].map(name => lineValues(lines, name))
    }
    expect(seen).toEqual({
      '/up': [[], [], ['new'], ['first', 'added']],
      '/own': [[], [], ['new'], ['first', 'added']],
      '/away': [[], [], ['new'], ['added']],
      '/dead': [[], [], ['new'], ['added']],
    })
  })
})
