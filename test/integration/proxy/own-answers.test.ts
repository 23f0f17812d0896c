import { describe, expect, test } from 'vitest'
import { startGateway } from '../../support/gateway.ts'
import { lineValue, without } from '../../support/message.ts'
import { exchange } from '../../support/wire.ts'

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
