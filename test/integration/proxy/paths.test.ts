import { describe, expect, test } from 'vitest'
import { proxyTo, startGateway } from '../../support/gateway.ts'
import { lineValue } from '../../support/message.ts'
import { expectProblem } from '../../support/problem.ts'
import { recordingBackend } from '../../support/upstream.ts'
import { exchange } from '../../support/wire.ts'

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

  test('may hold no parameters where the listener refuses them', async () => {
    const backend = await recordingBackend()
    const gateway = await startGateway(proxyTo(backend.origin, { listen: { paths: { parameters: 'refuse' } } }))
    for (const path of ['/admin;x/a', '/;/admin', '/admin%3bx', '/%61;', '/a/..;/admin']) {
      expect([path, (await exchange(gateway.port, `GET ${path}`)).status]).toEqual([path, 400])
    }
    expect((await exchange(gateway.port, 'GET /a?b;c')).status).toBe(200)
    expect(backend.requests).toHaveLength(1)
  })
})
