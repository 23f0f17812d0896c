import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { access } from '@gateway/access'
import { cache } from '@gateway/cache'
import { compression } from '@gateway/compression'
import { cors } from '@gateway/cors'
import { circuitBreaker } from '@gateway/resilience'
import { split } from '@gateway/traffic'
import { transform } from '@gateway/transform'
import { describe, expect, test } from 'vitest'
import { proxyTo, startGateway } from '../support/gateway.ts'
import { lineValue, type Message } from '../support/message.ts'
import { recordingBackend } from '../support/upstream.ts'
import { exchange, responseText } from '../support/wire.ts'

const text = 'All work and no play makes Jack a dull boy. '.repeat(100)
const maxAge = 'Cache-Control: max-age=60'
const json = 'Content-Type: application/json'
const change = () => transform({ response: { body: body => ({ changed: body }) } })
const accept = (coding: string) => [`Accept-Encoding: ${coding}`]

const decoders: Readonly<Record<string, (body: Uint8Array) => Uint8Array>> = {
  gzip: gunzipSync,
  zstd: zstdDecompressSync,
}

/** Coding, and the body without it. */
function told({ lines, body }: Message): [string | undefined, unknown] {
  const coding = lineValue(lines, 'content-encoding')
  const decode = decoders[coding ?? ''] ?? (bytes => bytes)
  return [coding, JSON.parse(Buffer.from(decode(Buffer.from(body, 'latin1'))).toString())]
}

describe('compression, a cache, and a plugin that changes bodies', () => {
  test.each([
    ['compression listed first', () => [compression(), change()]],
    ['compression listed last', () => [change(), compression()]],
  ])('a body is compressed when it has been changed: %s', async (_, plugins) => {
    const backend = await recordingBackend(() => responseText(200, [json], JSON.stringify(text)))
    const { port } = await startGateway(proxyTo(backend.origin, { plugins: plugins() }))
    for (const coding of ['gzip', 'zstd']) {
      expect(told(await exchange(port, 'GET /', accept(coding)))).toEqual([coding, { changed: text }])
    }
  })

  test('one answer is changed once, kept for all, and compressed for each', async () => {
    const lines = [json, maxAge, 'Vary: Accept-Encoding']
    const backend = await recordingBackend(() => responseText(200, lines, JSON.stringify(text)))
    const plugins = [cache(), change(), compression({ upstream: 'identity' })]
    const { port } = await startGateway(proxyTo(backend.origin, { plugins, route: { cache: true } }))
    for (const coding of ['gzip', 'zstd', 'none', 'gzip']) {
      const expected = coding === 'none' ? undefined : coding
      expect(told(await exchange(port, 'GET /', accept(coding)))).toEqual([expected, { changed: text }])
    }
    expect(backend.requests).toHaveLength(1)
  })

  test('a client has its compressed answer confirmed by the tag that it knows', async () => {
    const backend = await recordingBackend(() => responseText(200, [json, maxAge, 'ETag: "a"'], JSON.stringify(text)))
    const plugins = [compression({ upstream: 'identity' }), cache()]
    const { port } = await startGateway(proxyTo(backend.origin, { plugins, route: { cache: true } }))
    const first = await exchange(port, 'GET /', accept('gzip'))
    expect(lineValue(first.lines, 'etag')).toBe('W/"a"')
    const known = await exchange(port, 'GET /', [...accept('gzip'), 'If-None-Match: W/"a"'])
    expect([known.status, lineValue(known.lines, 'etag')]).toEqual([304, 'W/"a"'])
  })
})

test.each([
  ['before the cache', {}],
  ['by a hook behind it', { onRequest: (ctx: { useService(name: string): void }) => ctx.useService('other') }],
])('a service that is chosen %s answers, and its answers are its own', async (how, hooks) => {
  const [own, other] = await Promise.all(
    ['own', 'other'].map(name => recordingBackend(() => responseText(200, [maxAge], name))),
  )
  const { port } = await startGateway({
    plugins: [split(), cache()],
    services: { own: { targets: [own?.origin] }, other: { targets: [other?.origin] } },
    routes: {
      all: {
        match: 'GET /*',
        service: 'own',
        cache: true,
        split: { when: [{ header: 'x-other', equals: '1', service: 'other' }] },
        ...hooks,
      },
    },
  })
  const isBehind = how !== 'before the cache'
  for (let round = 0; round < 2; round++) {
    expect((await exchange(port, 'GET /')).body).toBe(isBehind ? 'other' : 'own')
    expect((await exchange(port, 'GET /', ['X-Other: 1'])).body).toBe('other')
  }
  expect([own?.requests.length, other?.requests.length]).toEqual(isBehind ? [0, 2] : [1, 1])
})

test('fields and bodies of an upstream lose what is not for clients, kept or not, wherever the cache is listed', async () => {
  const lines = [json, maxAge, 'Server: inside/1', 'Access-Control-Allow-Origin: https://evil.test']
  const backend = await recordingBackend(() => responseText(200, lines, '{"name":"a","password":"b"}'))
  const origins = ['https://app.test']
  const guards = [cors({ origins }), access({ hideHeaders: ['Server'] })]
  const change = transform({ response: { body: [{ remove: 'password' }] } })
  for (const plugins of [
    [...guards, cache(), change],
    [change, cache(), ...guards],
  ]) {
    const { port } = await startGateway(proxyTo(backend.origin, { plugins, route: { cache: true } }))
    for (const _ of ['fetched', 'kept']) {
      const answer = await exchange(port, 'GET /', ['Origin: https://evil.test'])
      expect(JSON.parse(answer.body)).toEqual({ name: 'a' })
      expect(lineValue(answer.lines, 'server')).toBeUndefined()
      expect(lineValue(answer.lines, 'access-control-allow-origin')).toBeUndefined()
    }
  }
  expect(backend.requests).toHaveLength(2)
})

test('what was kept tells a circuit breaker nothing', async () => {
  const backend = await recordingBackend(({ target }) =>
    target === '/good' ? responseText(200, [maxAge]) : responseText(500),
  )
  const route = { cache: true, circuitBreaker: { failures: 2 } }
  const { port } = await startGateway(proxyTo(backend.origin, { plugins: [circuitBreaker(), cache()], route }))
  const statuses: number[] = []
  for (const path of ['/good', '/bad', '/good', '/bad', '/bad']) {
    statuses.push((await exchange(port, `GET ${path}`)).status)
  }
  expect(statuses).toEqual([200, 500, 200, 500, 503])
  expect(backend.requests).toHaveLength(3)
})
