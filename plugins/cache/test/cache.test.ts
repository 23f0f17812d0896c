import { identity } from '@gateway/auth/contract'
import { cache } from '@gateway/cache'
import { definePlugin, type RouteHooks } from '@gateway/core'
import { expectNoLeak, pluginSuite, testPlugin } from '@gateway/testing'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { proxyTo, startGateway } from '../../../test/support/gateway.ts'
import { lineValue } from '../../../test/support/message.ts'
import { answering, rawUpstream, recordingBackend, startUpstream } from '../../../test/support/upstream.ts'
import { connect, exchange, rawRequest, requestText, responseText } from '../../../test/support/wire.ts'
import { shown, startCache } from './support.ts'

for (const { name, run } of pluginSuite(() => cache(), { routeOptions: { coalesce: true } })) test(name, run)

/** The caller is whoever the request says it is, and nobody without a word. */
const believing = definePlugin({
  name: 'believing',
  stage: 'identify',
  writes: [identity],
  setup: () => ({
    onRoute: (): RouteHooks => ({
      onRequest(ctx) {
        const id = ctx.headers.get('x-user')
        if (id === undefined) return { status: 401 }
        ctx.headers.delete('x-user')
        const claims = { iss: ctx.headers.get('x-issuer') }
        ctx.set(identity, { id, method: 'jwt', scopes: [], roles: [], claims, expiresAt: undefined })
        return undefined
      },
    }),
  }),
})
const as = (user: string) => [`X-User: ${user}`]
const maxAge = 'Cache-Control: max-age=60'

describe('who gets what', () => {
  test('users do not share, and nobody passes the plugin that asks who they are', async () => {
    const { tell } = await startCache([maxAge], { plugins: [believing()] })
    expect(await tell('GET /', as('ada'))).toBe('200 #1 fwd=uri-miss')
    expect(await tell('GET /', as('ada'))).toBe('200 #2 fwd=uri-miss')
    expect(await tell('GET /')).toMatch(/^401/)
  })

  test('unless the answer is public, and even then nobody passes', async () => {
    const { tell } = await startCache(['Cache-Control: public, max-age=60'], { plugins: [believing()] })
    expect(await tell('GET /', as('ada'))).toBe('200 #1 fwd=uri-miss; stored')
    expect(await tell('GET /', as('bob'))).toMatch('200 #1 hit')
    expect(await tell('GET /')).toMatch(/^401/)
  })

  test('or each has answers of their own', async () => {
    const { tell } = await startCache([maxAge], { plugins: [believing()], cache: { key: { user: true } } })
    expect(await tell('GET /', as('ada'))).toBe('200 #1 fwd=uri-miss; stored')
    expect(await tell('GET /', as('bob'))).toBe('200 #2 fwd=uri-miss; stored')
    expect(await tell('GET /', as('ada'))).toMatch('200 #1 hit')
    expect(await tell('GET /', [...as('ada'), 'X-Issuer: another'])).toBe('200 #3 fwd=uri-miss; stored')
  })

  test('a parameter that counts does not hide behind one that does not', async () => {
    const { tell } = await startCache([maxAge], { cache: { key: { query: ['lang'] } } })
    expect(await tell('GET /?lang=en')).toBe('200 #1 fwd=uri-miss; stored')
    // To an upstream that reads `;` as `&` this is another language, and to others one of that very name.
    expect(await tell('GET /?lang=en;lang=fr')).toBe('200 #2 fwd=uri-miss; stored')
    expect(await tell('GET /?lang=en&utm=1;lang=fr')).toBe('200 #3 fwd=uri-miss; stored')
    expect(await tell('GET /?utm=2&lang=en')).toMatch('200 #1 hit')
  })

  test('a field in the key says nothing of a user who was found by another', async () => {
    const { tell } = await startCache([maxAge], {
      plugins: [believing()],
      cache: { key: { headers: ['authorization'] } },
    })
    expect(await tell('GET /', as('ada'))).toBe('200 #1 fwd=uri-miss')
    expect(await tell('GET /', as('bob'))).toBe('200 #2 fwd=uri-miss')
  })

  test('routes do not share', async () => {
    const backend = await recordingBackend(({ target }) => responseText(200, [maxAge], target))
    const route = { match: 'GET /a', service: 'backend', cache: true }
    const { port } = await startGateway({
      plugins: [cache()],
      services: { backend: { targets: [backend.origin] } },
      routes: { plain: route, other: { ...route, headers: { 'x-a': true }, rewrite: '/b' } },
    })
    expect(shown(await exchange(port, 'GET /a'))).toBe('200 /a fwd=uri-miss; stored')
    expect(shown(await exchange(port, 'GET /a', ['X-A: 1']))).toBe('200 /b fwd=uri-miss; stored')
  })

  test('what a trusted proxy says of the address tells requests apart', async () => {
    const backend = await recordingBackend(({ lines }) =>
      responseText(200, [maxAge], lineValue(lines, 'x-forwarded-host')),
    )
    const { port } = await startGateway(
      proxyTo(backend.origin, { plugins: [cache()], route: { cache: true }, listen: { trust: ['127.0.0.1'] } }),
    )
    for (const host of ['a.test', 'b.test']) {
      expect((await exchange(port, 'GET /', [`X-Forwarded-Host: ${host}`])).body).toBe(host)
    }
    expect((await exchange(port, 'GET /', ['X-Forwarded-Proto: https'])).body).toBe('gateway.test')
    expect(shown(await exchange(port, 'GET /'))).toMatch('fwd=uri-miss')
  })

  test('what plugins and hooks behind it make of an answer is kept', async () => {
    const seen: string[] = []
    const { tell, ask } = await startCache([maxAge], {
      onRequest: ctx => void seen.push(ctx.path),
      onResponse: (_ctx, { headers }) => void headers.set('X-Made', 'behind'),
      onResponseBody: () => ({ push: chunk => Buffer.from(`<${Buffer.from(chunk)}>`) }),
    } satisfies RouteHooks)
    expect(await tell()).toBe('200 <#1> fwd=uri-miss; stored')
    const hit = await ask()
    expect(shown(hit)).toMatch('200 <#1> hit')
    expect(lineValue(hit.lines, 'x-made')).toBe('behind')
    expect(seen).toEqual(['/'])
  })

  test('says nothing of itself where it is not to', async () => {
    const { tell } = await startCache([maxAge], { options: { cacheStatus: false } })
    expect([await tell(), await tell()]).toEqual(['200 #1 -', '200 #1 -'])
  })
})

describe('bodies', () => {
  test('reach the client while they come, and are kept once they are whole', async () => {
    const body = 'x'.repeat(300_000)
    const upstream = await rawUpstream(async wire => {
      await wire.request()
      wire.send(`HTTP/1.1 200 OK\r\n${maxAge}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n`)
      await wire.through('go on')
    })
    const { port } = await startGateway(proxyTo(upstream.origin, { plugins: [cache()], route: { cache: true } }))
    const client = await connect(port)
    client.send(requestText('GET /'))
    await client.through('first')
    expect(shown(await exchange(port, 'HEAD /', ['Cache-Control: only-if-cached']))).toMatch('504')
    upstream.wires[0]?.send(`${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`)
    await client.through('\r\n0\r\n\r\n')
    const hit = await exchange(port, 'GET /')
    expect([hit.body === `first${body}`, hit.framing]).toEqual([true, 'length'])
    expect(lineValue(hit.lines, 'cache-status')).toMatch('gateway; hit')
  })

  test.each([
    ['break off', `Content-Length: 10\r\n\r\nhalf`],
    ['break off between chunks', 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
  ])('that %s are not kept, and the client can tell', async (_, rest) => {
    const upstream = await answering(`HTTP/1.1 200 OK\r\n${maxAge}\r\n${rest}`, wire => wire.socket.end())
    const { port } = await startGateway(proxyTo(upstream.origin, { plugins: [cache()], route: { cache: true } }))
    for (let round = 0; round < 2; round++) {
      const text = await rawRequest(port, requestText('GET /'))
      expect(text).toMatch(/fwd=uri-miss; stored[\s\S]*half(\r\n)?$/)
    }
    expect(upstream.wires).toHaveLength(2)
  })

  test('whose client leaves are given up', async () => {
    const upstream = await rawUpstream(async wire => {
      await wire.request()
      wire.send(`HTTP/1.1 200 OK\r\n${maxAge}\r\nContent-Length: 10\r\n\r\nhalf`)
    })
    const { port } = await startGateway(proxyTo(upstream.origin, { plugins: [cache()], route: { cache: true } }))
    const client = await connect(port)
    client.send(requestText('GET /'))
    await client.through('half')
    client.socket.destroy()
    await (await upstream.connection(1)).gone()
  })

  test('whose client leaves before the head are given up', async () => {
    const upstream = await rawUpstream(async wire => void (await wire.request()))
    const { port } = await startGateway(proxyTo(upstream.origin, { plugins: [cache()], route: { cache: true } }))
    const client = await connect(port)
    client.send(requestText('GET /'))
    const wire = await upstream.connection(1)
    await eventually(() => expect(wire.transcript).toMatch(/\r\n\r\n$/))
    client.socket.destroy()
    await wire.gone()
  })

  test('that turn out too large pass, with back-pressure, and are not kept', async () => {
    let sent = 0
    const { origin } = await startUpstream((_request, response) => {
      response.setHeader('Cache-Control', 'max-age=60')
      const send = () => {
        while (sent < 64e6) {
          sent += 65_536
          if (!response.write(Buffer.alloc(65_536, 'x'))) return void response.once('drain', send)
        }
        response.end()
      }
      send()
    })
    const { port } = await startGateway(
      proxyTo(origin, { plugins: [cache()], route: { cache: { maxEntrySize: '256kb' } } }),
    )
    const client = await connect(port)
    client.socket.pause()
    client.send(requestText('GET /', ['Connection: close']))
    let before = -1
    await eventually(async () => {
      const stalled = sent === before && sent > 0
      before = sent
      await new Promise(resolve => setTimeout(resolve, 50))
      expect(stalled).toBe(true)
    })
    expect(sent).toBeLessThan(32e6)
    let received = 0
    client.socket.removeAllListeners('data')
    client.socket.on('data', text => {
      received += text.length
    })
    client.socket.resume()
    await client.gone()
    expect(received).toBeGreaterThan(64e6)
    expect(shown(await exchange(port, 'GET /', ['Cache-Control: only-if-cached']))).toMatch('504')
  })
})

describe('room', () => {
  const body = 'x'.repeat(10_000)
  test('is made by what was not asked for the longest time', async () => {
    const { tell } = await startCache(({ target }) => ({ lines: [maxAge], body: target.padEnd(10_000) }), {
      options: { maxSize: 40_000 },
    })
    for (const path of ['/1', '/2', '/3', '/1', '/4']) await tell(`GET ${path}`)
    const there = []
    for (const path of ['/1', '/2', '/3', '/4']) {
      if (/^200/.test(await tell(`GET ${path}`, ['Cache-Control: only-if-cached']))) there.push(path)
    }
    expect(there).toEqual(['/1', '/3', '/4'])
  })

  test('is not found for what is larger than all of it', async () => {
    const { tell } = await startCache(() => ({ lines: [maxAge], body }), { options: { maxSize: 5_000 } })
    await tell()
    expect(await tell()).toMatch('fwd=uri-miss')
  })
})

describe('purge', () => {
  async function startPurging() {
    const backend = await recordingBackend(({ target }) => responseText(200, [maxAge], target))
    const { port } = await startGateway({
      plugins: [cache()],
      services: { backend: { targets: [backend.origin] } },
      routes: {
        all: { match: 'GET /*', service: 'backend', cache: true },
        purge: { match: 'POST /-/purge', reply: { status: 204 }, cache: { purge: { token: 't0ken' } } },
      },
    })
    for (const path of ['/a', '/a?b', '/a/c', '/d']) await exchange(port, `GET ${path}`)
    await exchange(port, 'GET /a', ['Host: other.test'])
    return (query: string, token = 't0ken') =>
      exchange(port, `POST /-/purge${query}`, [`Authorization: Bearer ${token}`])
  }

  test.each([
    ['?path=/a', 3],
    ['?path=/a&host=Gateway.test', 2],
    ['?prefix=/a', 4],
    ['?prefix=/a&host=other.test', 1],
    ['?all', 5],
    ['?all&host=gateway.test', 4],
    ['?path=/none', 0],
  ])('%s', async (query, purged) => {
    const purge = await startPurging()
    expect((await purge(query)).body).toBe(`{"purged":${purged}}\n`)
    expect((await purge(query)).body).toBe('{"purged":0}\n')
  })

  test('is for those who have the token, and who say what', async () => {
    const purge = await startPurging()
    expect(shown(await purge('?all', 'wrong'))).toMatch('401 CACHE_PURGE_UNAUTHORIZED')
    for (const query of ['', '?path=a', '?path=/a&all', '?prefix=']) {
      expect(shown(await purge(query))).toMatch('400 CACHE_PURGE_INVALID')
    }
    expect((await purge('?all')).body).toBe('{"purged":5}\n')
  })

  test('reaches what is under way: it is not kept', async () => {
    const upstream = await rawUpstream(async wire => {
      await wire.request()
      wire.send(`HTTP/1.1 200 OK\r\n${maxAge}\r\nContent-Length: 4\r\n\r\nxy`)
    })
    const { port } = await startGateway(proxyTo(upstream.origin, { plugins: [cache()], route: { cache: true } }))
    const client = await connect(port)
    client.send(requestText('GET /'))
    await client.through('xy')
    const post = exchange(port, 'POST /')
    ;(await upstream.connection(2)).send(responseText(200))
    await post
    upstream.wires[0]?.send('z!')
    expect(await client.exactly(2)).toBe('z!')
    expect(shown(await exchange(port, 'GET /', ['Cache-Control: only-if-cached']))).toMatch('504')
  })

  test('a route that purges by GET is refused', async () => {
    const route = { match: 'GET /purge', reply: { status: 204 }, cache: { purge: { token: 'x' } } }
    await expect(startGateway({ plugins: [cache()], routes: { route } })).rejects.toThrow(/match POST/)
  })
})

test.each([
  [
    { store: false },
    'leaves nothing to do without `coalesce`: write `coalesce: true` as well, or `cache: false` (routes.some.cache.store)',
  ],
  [
    { purge: { token: 'x' }, ttl: '1m' },
    'must be true, false, options without `purge`, or `purge` alone (routes.some.cache)',
  ],
  [{ purge: { tokn: 'x' } }, 'unknown key "tokn" (routes.some.cache.purge.tokn)\n  did you mean "token"?'],
])('options by which it would do nothing are refused: %j', async (options: object, message) => {
  const some = { match: 'POST /', reply: { status: 204 }, cache: options }
  await expect(startGateway({ plugins: [cache()], routes: { some } })).rejects.toThrow(message)
})

describe('a reload', () => {
  test('keeps the answers', async () => {
    const { tell, gateway, backend } = await startCache([maxAge])
    await tell()
    const next = proxyTo(backend.origin, { plugins: [cache()], route: { cache: { ttl: '1h' } } })
    const { changed } = await gateway.reload({ ...next, listen: { port: 0, host: '127.0.0.1' } })
    expect(changed).toBe(true)
    expect(await tell()).toMatch('200 #1 hit')
  })

  test('leaks nothing', async () => {
    await using gateway = await testPlugin(cache(), {
      routeOptions: { coalesce: true },
      upstream: () => new Response('ok', { headers: { 'cache-control': 'max-age=1' } }),
    })
    let path = 0
    await expectNoLeak(gateway, {
      reloads: 30,
      between: async () => {
        const asked = [path, path, ++path].map(number => gateway.fetch(`/${number % 5}`))
        for (const response of await Promise.all(asked)) await response.text()
      },
    })
  })
})
