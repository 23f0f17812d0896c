import { describe, expect, test } from 'vitest'
import { proxyTo, startGateway } from '../../support/gateway.ts'
import { lineValue, lineValues, without } from '../../support/message.ts'
import { expectProblem } from '../../support/problem.ts'
import { recordingBackend } from '../../support/upstream.ts'
import { connect, exchange } from '../../support/wire.ts'

/** The targets that go up for those that come in, through one route. */
async function rewritten(
  route: { match: string; rewrite?: string; stripPrefix?: string },
  targets: readonly string[],
  listen = {},
) {
  const backend = await recordingBackend()
  const { port } = await startGateway(proxyTo(backend.origin, { listen, route }))
  for (const target of targets) expect([target, (await exchange(port, `GET ${target}`)).status]).toEqual([target, 200])
  return backend.requests.map(request => request.target)
}

describe('rewriting', () => {
  test('puts parameters where the rewrite names them, encoded as they came', async () => {
    const targets = [
      '/users/7',
      '/users/a%20b?x=1',
      '/users/%E2%82%AC',
      '/users/%3Fq%23f',
      '/users/a;b=c',
      '/users/%25',
      '/users/@me',
    ]
    expect(await rewritten({ match: 'GET /users/:id', rewrite: '/v2/:id' }, targets)).toEqual([
      '/v2/7',
      '/v2/a%20b?x=1',
      '/v2/%E2%82%AC',
      '/v2/%3Fq%23f',
      '/v2/a;b=c',
      '/v2/%25',
      '/v2/@me',
    ])
  })

  test('puts the rest of the path where the wildcard stands', async () => {
    const targets = ['/api/a/b', '/api/', '/api/a/', '/api/a%20b/c?d=/e']
    expect(await rewritten({ match: 'GET /api/*', rewrite: '/*' }, targets)).toEqual([
      '/a/b',
      '/',
      '/a/',
      '/a%20b/c?d=/e',
    ])
  })

  test('may name a parameter several times, or none', async () => {
    const route = { match: 'GET /:a/:b/*', rewrite: '/:b/x/:a/:b/*' }
    expect(await rewritten(route, ['/1/2/3/4?q'])).toEqual(['/2/x/1/2/3/4?q'])
    expect(await rewritten({ match: 'GET /:a/*', rewrite: '/fixed' }, ['/1/2?q=1'])).toEqual(['/fixed?q=1'])
  })

  test('sends a kept encoded slash as it came', async () => {
    const listen = { paths: { encodedSlashes: 'keep' } }
    expect(await rewritten({ match: 'GET /o/:key', rewrite: '/objects/:key' }, ['/o/a%2fb'], listen)).toEqual([
      '/objects/a%2Fb',
    ])
  })

  test('strips a prefix in whole segments', async () => {
    const targets = ['/api/users', '/api/', '/api/a%20b?x', '/api/api/x']
    expect(await rewritten({ match: 'ANY /api/*', stripPrefix: '/api' }, targets)).toEqual([
      '/users',
      '/',
      '/a%20b?x',
      '/api/x',
    ])
    expect(await rewritten({ match: 'ANY /api/*', stripPrefix: '/api/' }, ['/api/users'])).toEqual(['/users'])
    expect(await rewritten({ match: 'ANY /api', stripPrefix: '/api' }, ['/api', '/api?x=1'])).toEqual(['/', '/?x=1'])
  })

  test('is done to absolute-form, too', async () => {
    const backend = await recordingBackend()
    const { port } = await startGateway(proxyTo(backend.origin, { route: { match: 'GET /a/*', rewrite: '/b/*' } }))
    await exchange(port, 'GET http://other.test:81/a/x?y', ['Host: ignored.test'])
    expect(backend.only.target).toBe('/b/x?y')
    expect(lineValue(backend.only.lines, 'x-forwarded-host')).toBe('other.test:81')
  })
})

describe('redirects', () => {
  const config = {
    routes: {
      plain: { match: 'GET /old', redirect: '/new' },
      params: { match: 'GET /users/:id', redirect: { to: '/people/:id', status: 301 } },
      absolute: { match: 'ANY /shop/*', redirect: { to: 'https://shop.example:8443/*', status: 307 } },
      root: { match: 'GET /away', redirect: 'http://other.example' },
      rest: { match: 'GET /moved/*', redirect: { to: '/*', status: 302 } },
    },
  }

  test.each([
    ['GET /old', 308, '/new'],
    ['GET /old?a=1&b=%20', 308, '/new?a=1&b=%20'],
    ['GET /users/a%20b%3F?x', 301, '/people/a%20b%3F?x'],
    ['POST /shop/a/b?c=d', 307, 'https://shop.example:8443/a/b?c=d'],
    ['GET /shop/', 307, 'https://shop.example:8443/'],
    ['GET /away', 308, 'http://other.example/'],
    ['GET /moved/x/y', 302, '/x/y'],
    ['GET /moved//evil.example/x', 302, '/evil.example/x'],
  ])('%s is answered with %i to %s', async (request, status, location) => {
    const { port } = await startGateway(config)
    const response = await exchange(port, request)
    expect(response.status).toBe(status)
    expect(without(response.lines, 'x-request-id', 'date')).toEqual([
      `location: ${location}`,
      'Content-Length: 0',
      'Connection: close',
    ])
  })

  test('never lead to another host that the path names', async () => {
    const { port } = await startGateway({ ...config, listen: { paths: { emptySegments: 'keep' } } })
    for (const path of ['/moved//evil.example', '/moved///evil.example']) {
      const location = lineValue((await exchange(port, `GET ${path}`)).lines, 'location') ?? ''
      expect(new URL(location, 'http://here.test').host).toBe('here.test')
    }
  })
})

describe('replies', () => {
  test('are sent as they stand in the config', async () => {
    const { port } = await startGateway({
      routes: {
        text: { match: 'GET /text', reply: { status: 200, body: 'grüße' } },
        bytes: { match: 'GET /bytes', reply: { status: 203, body: new Uint8Array([0, 255, 10]) } },
        typed: {
          match: 'ANY /typed',
          reply: {
            status: 503,
            headers: { 'Content-Type': 'text/html', 'Retry-After': '5', 'Set-Cookie': ['a=1', 'b=2'] },
            body: '<p>',
          },
        },
        empty: { match: 'GET /empty', reply: { status: 204 } },
        none: { match: 'GET /none', reply: { status: 200 } },
      },
    })
    const ask = async (request: string, body = '') => {
      const response = await exchange(port, request, [], body)
      return [response.status, without(response.lines, 'x-request-id', 'date', 'connection'), response.body]
    }
    expect(await ask('GET /text')).toEqual([
      200,
      ['Content-Type: text/plain; charset=utf-8', 'Content-Length: 7'],
      'gr\xc3\xbc\xc3\x9fe',
    ])
    expect(await ask('HEAD /text')).toEqual([200, ['Content-Type: text/plain; charset=utf-8', 'Content-Length: 7'], ''])
    expect(await ask('GET /bytes')).toEqual([203, ['Content-Length: 3'], '\x00\xff\n'])
    const typed = [
      'Content-Type: text/html',
      'Retry-After: 5',
      'Set-Cookie: a=1',
      'Set-Cookie: b=2',
      'Content-Length: 3',
    ]
    expect(await ask('GET /typed')).toEqual([503, typed, '<p>'])
    expect(await ask('POST /typed', 'a body that nobody reads')).toEqual([503, typed, '<p>'])
    expect(await ask('GET /empty')).toEqual([204, [], ''])
    expect(await ask('GET /none')).toEqual([200, ['Content-Length: 0'], ''])
  })
})

describe('the path', () => {
  test.each([
    '/a%2Fb',
    '/a%2fb',
    '/..',
    '/a/../b',
    '/a/./b',
    '/.',
    '/a/..',
    '/%2e%2e/a',
    '/a/%2E%2E',
    '/a/.%2e/b',
    '/%2e',
    '/a/..;x/b',
    '/a%00b',
    '/a%0Ab',
    '/a%7fb',
    '/a%5Cb',
    '/a%5cb',
    '/%',
    '/%2',
    '/%zz',
    '/%C0%AE',
    '/%ff',
  ])('%s is refused as it could be two', async path => {
    const backend = await recordingBackend()
    const gateway = await startGateway(proxyTo(backend.origin))
    expectProblem(gateway, await exchange(gateway.port, `GET ${path}?q=1`), 'GATEWAY_BAD_PATH')
    expect(backend.requests).toEqual([])
  })

  test.each(['/a\0b', '/a\x01b', '/a\x7fb', '/a\tb', '/a\xe9', '/a\\b', '/a"b', '/<a>', '/a`b', '/{a}'])(
    'with the raw character in %j is no request',
    async path => {
      const backend = await recordingBackend()
      const gateway = await startGateway(proxyTo(backend.origin))
      const response = await exchange(gateway.port, `GET ${path}`)
      expect(response.status).toBe(400)
      expect(JSON.parse(response.body).code).toMatch(/^GATEWAY_BAD_(PATH|REQUEST)$/)
      expect(backend.requests).toEqual([])
    },
  )

  test('is made canonical: for the route and for the upstream', async () => {
    const targets = ['/%61%2Dz', '/a//b///c', '/x%c3%a9', '/a[1]|b^', '/%7Euser', '/a%3ab', '//a']
    expect(await rewritten({ match: 'ANY /*' }, targets)).toEqual([
      '/a-z',
      '/a/b/c',
      '/x%C3%A9',
      '/a%5B1%5D%7Cb%5E',
      '/~user',
      '/a%3Ab',
      '/a',
    ])
  })

  test('cannot slip past a route in another spelling', async () => {
    const backend = await recordingBackend()
    const config = proxyTo(backend.origin)
    const gateway = await startGateway({
      ...config,
      routes: { ...(config.routes as object), admin: { match: 'ANY /admin/*', reply: { status: 403 } } },
    })
    for (const path of ['/admin/x', '//admin/x', '/%61dmin/x', '/admin//x', '/%61%64%6D%69%6E/', '/admin/%2561']) {
      expect([path, (await exchange(gateway.port, `GET ${path}`)).status]).toEqual([path, 403])
    }
    expect(backend.requests).toEqual([])
  })

  test('may hold encoded slashes where the listener keeps them', async () => {
    const listen = { paths: { encodedSlashes: 'keep' } }
    expect(await rewritten({ match: 'ANY /*' }, ['/a%2fb', '/a%2F%2Fb/c'], listen)).toEqual(['/a%2Fb', '/a%2F%2Fb/c'])
  })

  test('is climbed where the listener resolves dot segments', async () => {
    const listen = { paths: { dotSegments: 'resolve' } }
    const targets = ['/a/../b', '/a/./b', '/../../a', '/a/b/..', '/a/%2e%2E/b', '/a/.', '/..']
    expect(await rewritten({ match: 'ANY /*' }, targets, listen)).toEqual(['/b', '/a/b', '/a', '/a/', '/b', '/a/', '/'])
  })

  test('keeps empty segments, or may not have them, as the listener says', async () => {
    expect(await rewritten({ match: 'ANY /*' }, ['/a//b', '//a'], { paths: { emptySegments: 'keep' } })).toEqual([
      '/a//b',
      '//a',
    ])
    const backend = await recordingBackend()
    const gateway = await startGateway(proxyTo(backend.origin, { listen: { paths: { emptySegments: 'refuse' } } }))
    expectProblem(gateway, await exchange(gateway.port, 'GET /a//b'), 'GATEWAY_BAD_PATH')
  })
})

describe('routing', () => {
  const named = (name: string) => ({ status: 200, body: name })
  const routes = {
    any: { match: 'ANY /*', reply: named('any') },
    list: { match: 'GET /users', reply: named('list') },
    create: { match: 'POST /users', reply: named('create') },
    user: { match: 'GET /users/:id', reply: named('user') },
    me: { match: 'GET /users/me', reply: named('me') },
    files: { match: 'GET /users/files/*', reply: named('files') },
    v2: { match: 'GET /users', headers: { 'X-Version': '2' }, reply: named('v2') },
    beta: { match: 'GET /users', query: { beta: true }, reply: named('beta') },
    pattern: { match: 'GET /users', headers: { accept: /xml/ }, query: { page: '1' }, reply: named('pattern') },
    anonymous: { match: 'GET /secret', headers: { authorization: false }, reply: named('anonymous') },
    exact: { match: 'ANY /*', host: 'api.example.com', reply: named('exact') },
    wild: { match: 'ANY /*', host: '*.example.com', reply: named('wild') },
    deep: { match: 'ANY /*', host: ['*.eu.example.com', 'other.test'], reply: named('deep') },
  }

  test.each([
    ['GET /users', [], 'list'],
    ['HEAD /users', [], ''],
    ['POST /users', [], 'create'],
    ['DELETE /users', [], 'any'],
    ['GET /users/', [], 'any'],
    ['GET /users/7', [], 'user'],
    ['GET /users/me', [], 'me'],
    ['GET /users/files/', [], 'files'],
    ['GET /users/files/a/b', [], 'files'],
    ['GET /users/files', [], 'user'],
    ['GET /users', ['x-version: 2'], 'v2'],
    ['GET /users', ['x-version: 3'], 'list'],
    ['GET /users?beta', [], 'beta'],
    ['GET /users?page=1', ['Accept: text/xml'], 'pattern'],
    ['GET /users?page=2', ['Accept: text/xml'], 'list'],
    ['GET /secret', [], 'anonymous'],
    ['GET /secret', ['Authorization: x'], 'any'],
    ['GET /users', ['Host: api.example.com'], 'exact'],
    ['GET /users', ['Host: API.Example.com.:8080'], 'exact'],
    ['GET /x', ['Host: a.example.com:1'], 'wild'],
    ['GET /x', ['Host: a.eu.example.com'], 'deep'],
    ['GET /x', ['Host: other.test'], 'deep'],
    ['GET /x', ['Host: example.com'], 'any'],
    ['GET http://api.example.com/x', ['Host: other.test'], 'exact'],
  ])('takes %s with %j to %j', async (request, lines, name) => {
    const { port, log } = await startGateway({ routes })
    const response = await exchange(port, request, lines)
    expect([response.status, response.body]).toEqual([200, name])
    if (name !== '') expect(log.access.map(line => line.fields.route)).toEqual([name])
  })

  const few = {
    routes: {
      read: { match: 'GET /items/:id', reply: { status: 200 } },
      write: { match: 'PUT /items/:id', reply: { status: 200 } },
      ours: { match: 'GET /ours', host: 'ours.test', reply: { status: 200 } },
    },
  }

  test.each(['GET /', 'GET /items', 'GET /items/1/2', 'GET /ours', 'OPTIONS *'])(
    'knows nothing of %s',
    async request => {
      const gateway = await startGateway(few)
      expectProblem(gateway, await exchange(gateway.port, request), 'GATEWAY_ROUTE_NOT_FOUND')
    },
  )

  test.each(['POST /items/1', 'DELETE /items/1', 'OPTIONS /items/1'])(
    'has other methods for the path of %s',
    async request => {
      const gateway = await startGateway(few)
      const response = await exchange(gateway.port, request)
      expectProblem(gateway, response, 'GATEWAY_METHOD_NOT_ALLOWED')
      expect(lineValues(response.lines, 'allow')).toEqual(['GET, HEAD, PUT'])
    },
  )

  test('answers an error to HEAD without its body', async () => {
    const { port } = await startGateway(few)
    const client = await connect(port)
    client.send('HEAD /no HTTP/1.1\r\nHost: a\r\n\r\nGET /items/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    const first = await client.response('HEAD')
    expect([first.status, Number(lineValue(first.lines, 'content-length'))]).toEqual([404, expect.any(Number)])
    expect((await client.response()).status).toBe(200)
  })
})
