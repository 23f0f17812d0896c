import { brotliDecompressSync, createGunzip, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { compression } from '@gateway/compression'
import { definePlugin, type RouteHooks } from '@gateway/core'
import { expectNoLeak, pluginSuite, testPlugin } from '@gateway/testing'
import { Agent, fetch } from 'undici'
import { describe, expect, test } from 'vitest'
import { onCleanup } from '../../../test/support/cleanup.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { type LooseConfig, proxyTo, startGateway } from '../../../test/support/gateway.ts'
import { lineValue, type Message } from '../../../test/support/message.ts'
import { rawUpstream, recordingBackend, startUpstream } from '../../../test/support/upstream.ts'
import { connect, exchange, requestText, responseText } from '../../../test/support/wire.ts'

for (const { name, run } of pluginSuite(() => compression(), { alwaysOn: true })) test(name, run)

const text = 'All work and no play makes Jack a dull boy. '.repeat(200)
const plain = 'Content-Type: text/plain'
const gzip = ['Accept-Encoding: gzip']

const decoders: Readonly<Record<string, (body: Uint8Array) => Uint8Array>> = {
  gzip: gunzipSync,
  br: brotliDecompressSync,
  zstd: zstdDecompressSync,
}
const decoded = ({ lines, body }: Message) => {
  const decode = decoders[lineValue(lines, 'content-encoding') ?? ''] ?? (bytes => bytes)
  return Buffer.from(decode(Buffer.from(body, 'latin1'))).toString('latin1')
}

async function startWith(
  lines: readonly string[] = [plain],
  { options = {}, body = text, status = 200, ...more }: LooseConfig = {},
) {
  const backend = await recordingBackend(() => responseText(status as number, lines, body as string))
  const running = await startGateway(
    proxyTo(backend.origin, { plugins: [compression(options as object)], route: more }),
  )
  return {
    ...running,
    backend,
    ask: (fields: readonly string[] = gzip, request = 'GET /') => exchange(running.port, request, fields),
  }
}

/** By a client that undoes the coding itself. */
function fetchAs(port: number, accepted: string) {
  const dispatcher = new Agent()
  onCleanup('clients', () => dispatcher.destroy())
  return fetch(`http://127.0.0.1:${port}/`, { dispatcher, headers: { 'accept-encoding': accepted } })
}

const coding = ({ lines }: Message) => lineValue(lines, 'content-encoding')

describe('the coding', () => {
  test.each<[string | undefined, string | undefined]>([
    ['gzip', 'gzip'],
    ['br', 'br'],
    ['zstd', 'zstd'],
    ['x-gzip', 'gzip'],
    ['GZIP', 'gzip'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['gzip, deflate, br', 'br'],
    ['gzip;q=1.0, br;q=0.5', 'gzip'],
    ['gzip ; q=0.2,br;q=0.3', 'br'],
    ['zstd;q=0, gzip', 'gzip'],
    ['*', 'zstd'],
    ['*;q=0.5, gzip;q=0.1, zstd;q=0', 'br'],
    ['identity;q=0.5, gzip;q=0.2', undefined],
    ['identity, gzip', 'gzip'],
    ['identity;q=0', undefined],
    ['gzip;q=0', undefined],
    ['gzip;q=2', undefined],
    ['deflate', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('of %j is %s', async (accepted, expected) => {
    const { ask } = await startWith()
    const response = await ask(accepted === undefined ? [] : [`Accept-Encoding: ${accepted}`])
    expect([coding(response), decoded(response) === text]).toEqual([expected, true])
    expect(response.body.length < 500).toBe(expected !== undefined)
  })

  test('is one of those that the options name, in their order', async () => {
    const { ask } = await startWith([plain], { options: { codings: ['gzip', 'br'] } })
    expect(coding(await ask(['Accept-Encoding: zstd, br, gzip']))).toBe('gzip')
  })

  test.each(['gzip', 'br', 'zstd'])('%s is understood by a client of another make', async accepted => {
    const { port } = await startWith()
    const response = await fetchAs(port, accepted)
    expect([response.headers.get('content-encoding'), (await response.text()) === text]).toEqual([accepted, true])
  })
})

describe('what is compressed', () => {
  test.each<[string, string[], LooseConfig?]>([
    ['HTML', ['Content-Type: text/html; charset=utf-8']],
    ['JSON', ['Content-Type: application/json']],
    ['some JSON', ['Content-Type: Application/Problem+JSON']],
    ['SVG', ['Content-Type: image/svg+xml']],
    ['what is listed', ['Content-Type: audio/midi'], { options: { types: ['audio/midi'] } }],
    ['a listed kind', ['Content-Type: audio/midi'], { options: { types: ['audio/*'] } }],
    ['an error', [plain], { status: 500 }],
    ['what is as long as it has to be', [plain], { options: { minSize: text.length } }],
    ['by a route', [plain], { options: { minSize: '1mb' }, compression: { minSize: 0 } }],
  ])('%s', async (_, lines, more) => {
    const { ask } = await startWith(lines, more)
    const response = await ask()
    expect([coding(response), decoded(response) === text, response.framing]).toEqual(['gzip', true, 'chunked'])
  })

  test.each<[string, string[], LooseConfig?, string[]?]>([
    ['images', ['Content-Type: image/png']],
    ['events', ['Content-Type: text/event-stream']],
    ['gRPC', ['Content-Type: application/grpc+proto']],
    ['what has no type', []],
    ['what is coded', [plain, 'Content-Encoding: br']],
    ['what must not be transformed', [plain, 'Cache-Control: public, no-transform']],
    ['what the client wants untransformed', [plain], {}, [...gzip, 'Cache-Control: no-transform']],
    ['what is short', [plain], { body: 'x'.repeat(1023) }],
    ['a part', [plain, 'Content-Range: bytes 0-99/1000'], { status: 206 }],
    ['what is not listed', [plain], { options: { types: ['text/html'] } }],
    ['on a route that goes without', [plain], { compression: false }],
  ])('not: %s', async (_, lines, more, fields) => {
    const { ask } = await startWith(lines, more)
    const response = await ask(fields)
    expect(response.body).toBe(more?.body ?? text)
    expect([coding(response), response.framing]).toEqual([
      lines.some(line => /br$/.test(line)) ? 'br' : undefined,
      'length',
    ])
  })

  test.each([204, 304])('not: %i', async status => {
    const backend = await recordingBackend(() => `HTTP/1.1 ${status} Any\r\n${plain}\r\nETag: "a"\r\n\r\n`)
    const { port } = await startGateway(proxyTo(backend.origin, { plugins: [compression()] }))
    const response = await exchange(port, 'GET /', gzip)
    expect([response.status, coding(response), lineValue(response.lines, 'etag')]).toEqual([status, undefined, '"a"'])
  })

  test('an answer of a plugin, a stream too', async () => {
    const { ask } = await startWith([], {
      onRequest: () => ({ status: 200, headers: { 'content-type': 'text/css' }, body: text }),
    } satisfies RouteHooks)
    const response = await ask()
    expect([coding(response), decoded(response) === text]).toEqual(['gzip', true])
  })
})

describe('what the head says', () => {
  test('Vary, a weak tag, and nothing of the bytes that were', async () => {
    const { ask } = await startWith([
      plain,
      'ETag: "a"',
      'Vary: Origin',
      'Accept-Ranges: bytes',
      'Repr-Digest: sha-256=:AA==:',
      'Content-MD5: x',
    ])
    const { lines } = await ask()
    const own = lines.filter(line => /^(vary|etag|accept|repr|content)/i.test(line)).toSorted()
    expect(own).toEqual([
      'Content-Encoding: gzip',
      'Content-Type: text/plain',
      'ETag: W/"a"',
      'Vary: Accept-Encoding',
      'Vary: Origin',
    ])
    const untouched = await ask([])
    expect(untouched.lines).toEqual(
      expect.arrayContaining(['ETag: "a"', 'Accept-Ranges: bytes', 'Vary: Accept-Encoding']),
    )
  })

  test.each(['*', 'accept-encoding', 'Origin, Accept-Encoding'])('not Vary twice: %s', async vary => {
    const { ask } = await startWith([plain, `Vary: ${vary}`])
    expect((await ask()).lines.filter(line => /^vary/i.test(line))).toEqual([`Vary: ${vary}`])
  })

  test('of HEAD what that of GET says, without a length', async () => {
    const { ask } = await startWith([plain, 'ETag: "a"'])
    const { lines, body } = await ask(gzip, 'HEAD /')
    expect(body).toBe('')
    expect(lines).toEqual(expect.arrayContaining(['Content-Encoding: gzip', 'ETag: W/"a"', 'Vary: Accept-Encoding']))
    expect(lineValue(lines, 'content-length')).toBeUndefined()
  })

  test('of a 304 the tag that the client knows', async () => {
    const backend = await recordingBackend(() => 'HTTP/1.1 304 Any\r\nETag: "a"\r\n\r\n')
    const { port } = await startGateway(proxyTo(backend.origin, { plugins: [compression()] }))
    const tag = async (known: string) =>
      lineValue((await exchange(port, 'GET /', [`If-None-Match: ${known}`])).lines, 'etag')
    expect([await tag('W/"a"'), await tag('"a"'), await tag('W/"b", W/"a"')]).toEqual(['W/"a"', '"a"', 'W/"a"'])
  })

  test('HTTP/1.0 gets the body up to the close', async () => {
    const { port } = await startWith()
    const wire = await connect(port)
    wire.send('GET / HTTP/1.0\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n')
    const response = await wire.response()
    expect([response.framing, decoded(response) === text]).toEqual(['close', true])
  })

  test('the upstream is asked for what the client asks for, or for nothing', async () => {
    const pass = await startWith()
    await pass.ask()
    expect(lineValue(pass.backend.only.lines, 'accept-encoding')).toBe('gzip')
    const identity = await startWith([plain], { options: { upstream: 'identity' } })
    expect(coding(await identity.ask())).toBe('gzip')
    expect(lineValue(identity.backend.only.lines, 'accept-encoding')).toBe('identity')
  })
})

describe('a stream', () => {
  test.each(['gzip', 'br', 'zstd'])('of unknown length goes on piece by piece: %s', async accepted => {
    const upstream = await rawUpstream(async wire => {
      await wire.request()
      wire.send(`HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n`)
    })
    const { port } = await startGateway(proxyTo(upstream.origin, { plugins: [compression()] }))
    const response = await fetchAs(port, accepted)
    const reader = response.body?.getReader()
    const read = async () => Buffer.from((await reader?.read())?.value ?? []).toString()
    expect(await read()).toBe('first')
    upstream.wires[0]?.send('6\r\nsecond\r\n')
    expect(await read()).toBe('second')
    upstream.wires[0]?.send('0\r\n\r\n')
    expect(await read()).toBe('')
  })

  test('of events is compressed where that is asked for, each at once', async () => {
    const upstream = await rawUpstream(async wire => {
      await wire.request()
      wire.send(
        'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n',
      )
    })
    const { port } = await startGateway(proxyTo(upstream.origin, { plugins: [compression({ streams: true })] }))
    const response = await fetchAs(port, 'zstd')
    const { value } = (await response.body?.getReader().read()) ?? {}
    expect([response.headers.get('content-encoding'), Buffer.from(value ?? []).toString()]).toEqual([
      'zstd',
      'data: 1\n\n',
    ])
    upstream.wires[0]?.socket.destroy()
  })

  test('has back-pressure, and ends with its client', async () => {
    let sent = 0
    const closed = Promise.withResolvers<void>()
    // What does not shrink fills the buffers soonest.
    const piece = Buffer.from(Array.from({ length: 65_536 }, (_, i) => (i * 2_654_435_761) >>> 24))
    const { origin } = await startUpstream((_request, response) => {
      response.setHeader('Content-Type', 'text/plain')
      const send = () => {
        do {
          sent += piece.length
          piece.writeUInt32LE(sent, sent % 60_000)
        } while (response.write(Buffer.from(piece.map(byte => byte ^ (sent >>> 16)))) && sent < 256e6)
      }
      response.on('drain', send).on('close', closed.resolve)
      send()
    })
    const { port } = await startGateway(proxyTo(origin, { plugins: [compression({ levels: { gzip: 1 } })] }))
    const client = await connect(port)
    client.socket.pause()
    client.send(requestText('GET /', gzip))
    let before = -1
    await eventually(async () => {
      const stalled = sent === before && sent > 0
      before = sent
      await new Promise(resolve => setTimeout(resolve, 100))
      expect(stalled).toBe(true)
    })
    expect(sent).toBeLessThan(200e6)
    client.socket.destroy()
    await closed.promise
  })

  test('that breaks off does not look whole', async () => {
    const upstream = await rawUpstream(async wire => {
      await wire.request()
      wire.send(`HTTP/1.1 200 OK\r\n${plain}\r\nContent-Length: 5000\r\n\r\n${text.slice(0, 3000)}`)
      wire.socket.end()
    })
    const { port } = await startGateway(proxyTo(upstream.origin, { plugins: [compression()] }))
    const wire = await connect(port)
    wire.send(requestText('GET /', gzip))
    expect((await wire.rest()).endsWith('0\r\n\r\n')).toBe(false)
  })
})

test('more at once than are allowed pass as they are', async () => {
  const upstream = await rawUpstream(async (wire, number) => {
    for (;;) {
      await wire.request()
      wire.send(`HTTP/1.1 200 OK\r\n${plain}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n`)
      if (number > 1) wire.send('0\r\n\r\n')
    }
  })
  const { port } = await startGateway(proxyTo(upstream.origin, { plugins: [compression({ maxConcurrent: 1 })] }))
  const first = await connect(port)
  first.send(requestText('GET /', gzip))
  expect(await first.through('\r\n\r\n')).toMatch('Content-Encoding: gzip')
  const second = await exchange(port, 'GET /', gzip)
  expect([coding(second), lineValue(second.lines, 'vary'), second.body]).toEqual([
    undefined,
    'Accept-Encoding',
    'first',
  ])
  first.socket.destroy()
  await eventually(async () => expect(coding(await exchange(port, 'GET /', gzip))).toBe('gzip'))
})

test('one that fails on its way and is answered again counts once', async () => {
  const failing = definePlugin({
    name: 'failing',
    stage: 'guard',
    setup: () => ({
      onRoute: (): RouteHooks => ({
        onResponse(_ctx, { fromUpstream }) {
          if (fromUpstream) throw new Error('not this one')
        },
        onError: () => ({ status: 503, body: text }),
      }),
    }),
  })
  const backend = await recordingBackend(() => responseText(200, [plain], text))
  const plugins = [failing(), compression({ maxConcurrent: 1 })]
  const { port } = await startGateway(proxyTo(backend.origin, { plugins }))
  for (let round = 0; round < 2; round++) {
    const answer = await exchange(port, 'GET /', gzip)
    expect([answer.status, coding(answer), decoded(answer) === text]).toEqual([503, 'gzip', true])
  }
})

test('a reload leaks nothing', async () => {
  await using gateway = await testPlugin(compression(), {
    upstream: () => new Response(text, { headers: { 'content-type': 'text/html' } }),
  })
  await expectNoLeak(gateway, {
    reloads: 30,
    between: async () => {
      const { body } = await gateway.fetch('/', { headers: { 'accept-encoding': 'gzip' } })
      const gunzip = createGunzip()
      for await (const chunk of body ?? []) gunzip.write(chunk)
      gunzip.end().resume()
    },
  })
})
