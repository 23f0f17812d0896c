import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { cache } from '@gateway/cache'
import { compression } from '@gateway/compression'
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
