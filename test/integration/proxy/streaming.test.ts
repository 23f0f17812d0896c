import { describe, expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { proxyTo, startGateway } from '../../support/gateway.ts'
import { lineValue, without } from '../../support/message.ts'
import { expectProblem } from '../../support/problem.ts'
import { rawUpstream, recordingBackend, startUpstream } from '../../support/upstream.ts'
import { connect, exchange, requestText, responseText, type Wire } from '../../support/wire.ts'

const chunkedHead = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

/** A gateway in front of an upstream that the test plays itself, and a client's connection to it. */
async function byHand(more: Parameters<typeof proxyTo>[1] = {}) {
  const upstream = await rawUpstream(() => {})
  const gateway = await startGateway(proxyTo(upstream.origin, more))
  return { upstream, gateway, client: await connect(gateway.port) }
}

describe('bodies', () => {
  test('come down piece by piece as they are sent', async () => {
    const { upstream, client } = await byHand()
    client.send(requestText('GET /'))
    const server = await upstream.connection(1)
    await server.request()
    server.send(`${chunkedHead}3\r\none\r\n`)
    await client.through('\r\n\r\n3\r\none\r\n')
    server.send('3\r\ntwo\r\n')
    await client.through('3\r\ntwo\r\n')
    server.send('0\r\n\r\n')
    expect(await client.through('0\r\n\r\n')).toBe('0\r\n\r\n')
  })

  test('go up piece by piece as they are sent', async () => {
    const { upstream, client } = await byHand()
    client.send(requestText('POST /', ['Transfer-Encoding: chunked'], '3\r\none\r\n'))
    const server = await upstream.connection(1)
    expect(await server.through('\r\n\r\n')).toContain('Transfer-Encoding: chunked\r\n')
    expect(await server.through('one\r\n')).toBe('3\r\none\r\n')
    client.send('3;extension=gone\r\ntwo\r\n')
    expect(await server.through('two\r\n')).toBe('3\r\ntwo\r\n')
    client.send('0\r\n\r\n')
    expect(await server.through('0\r\n\r\n')).toBe('0\r\n\r\n')
    server.send(responseText(200, [], 'done'))
    expect((await client.response()).body).toBe('done')
  })

  test('go both ways at once', async () => {
    const { upstream, client } = await byHand()
    client.send(requestText('POST /', ['Transfer-Encoding: chunked']))
    const server = await upstream.connection(1)
    await server.through('\r\n\r\n')
    server.send(chunkedHead)
    await client.through('\r\n\r\n')
    for (const word of ['a', 'bc', 'def']) {
      client.send(`${word.length}\r\n${word}\r\n`)
      const got = await server.through(`${word}\r\n`)
      server.send(got ?? '')
      expect(await client.through(`${word}\r\n`)).toBe(got)
    }
    client.send('0\r\n\r\n')
    await server.through('0\r\n\r\n')
    server.send('0\r\n\r\n')
    expect(await client.through('0\r\n\r\n')).toBe('0\r\n\r\n')
  })

  test('keep their framing: a length stays a length, whatever the pieces', async () => {
    const { upstream, client } = await byHand()
    client.send(requestText('PUT /', ['Content-Length: 6'], 'abc'))
    const server = await upstream.connection(1)
    await server.through('\r\n\r\nabc')
    client.send('def')
    await server.through('def')
    server.send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc')
    await client.through('\r\n\r\nabc')
    server.send('def')
    await client.through('def')
    expect(client.transcript).toMatch(/Content-Length: 6\r\n/)
  })

  test('of several megabytes arrive byte for byte both ways', async () => {
    const body = Buffer.alloc(5_000_003, 'every byte counts ')
    const upstream = await startUpstream((request, response) => {
      response.writeHead(200)
      request.pipe(response)
    })
    const { port } = await startGateway(proxyTo(upstream.origin))
    for (const lines of [[], ['Content-Length: 5000003']]) {
      const client = await connect(port)
      const response = client.response()
      if (lines.length > 0) client.send(Buffer.concat([Buffer.from(requestText('POST /', lines)), body]))
      else {
        client.send(requestText('POST /', ['Transfer-Encoding: chunked']))
        for (let at = 0; at < body.length; at += 70_001) {
          const piece = body.subarray(at, at + 70_001)
          client.send(`${piece.length.toString(16)}\r\n`)
          client.send(piece)
          client.send('\r\n')
        }
        client.send('0\r\n\r\n')
      }
      const { body: echoed, complete } = await response
      expect([complete, echoed.length, echoed === body.toString('latin1')]).toEqual([true, body.length, true])
    }
  })
})

describe('trailers', () => {
  test('pass both ways', async () => {
    const backend = await recordingBackend(() => `${chunkedHead}2\r\nok\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n`)
    const { port } = await startGateway(proxyTo(backend.origin))
    const response = await exchange(
      port,
      'POST /',
      ['Transfer-Encoding: chunked'],
      '2\r\nhi\r\n0\r\nX-Up: a\r\nX-Up: b\r\n\r\n',
    )
    expect(backend.only).toMatchObject({ body: 'hi', trailers: ['X-Up: a', 'X-Up: b'], complete: true })
    expect(response).toMatchObject({ body: 'ok', trailers: ['X-Sum: 1', 'X-More: 2'], complete: true })
  })
})

describe('informational responses', () => {
  const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n'

  test('pass before the final one, without the fields of the hop', async () => {
    const answer = `HTTP/1.1 102 Processing\r\n\r\n${hints}Connection: X-Hop\r\nX-Hop: 1\r\n\r\n${hints}\r\n${responseText(200, [], 'final')}`
    const backend = await recordingBackend(() => answer)
    const { port } = await startGateway(proxyTo(backend.origin))
    const client = await connect(port)
    client.send(requestText('GET /') + requestText('GET /again'))
    for (const _ of [1, 2]) {
      const seen = [await client.response(), await client.response(), await client.response()]
      expect(seen.map(({ start, lines }) => [start, lines])).toEqual([
        ['HTTP/1.1 102 Processing', []],
        ['HTTP/1.1 103 Early Hints', ['Link: </a.css>; rel=preload']],
        ['HTTP/1.1 103 Early Hints', ['Link: </a.css>; rel=preload']],
      ])
      expect(await client.response()).toMatchObject({ status: 200, body: 'final' })
    }
  })

  test('come at once, not with the final one', async () => {
    const { upstream, client } = await byHand()
    client.send(requestText('GET /'))
    const server = await upstream.connection(1)
    await server.request()
    server.send(`${hints}\r\n`)
    expect((await client.response()).status).toBe(103)
    server.send(responseText(204, []).replace('Content-Length: 0\r\n', ''))
    expect((await client.response()).status).toBe(204)
  })

  test('are nothing for HTTP/1.0', async () => {
    const backend = await recordingBackend(() => `${hints}\r\n${responseText(200, [], 'final')}`)
    const { port } = await startGateway(proxyTo(backend.origin))
    const client = await connect(port)
    client.send('GET / HTTP/1.0\r\n\r\n')
    expect(await client.response()).toMatchObject({ status: 200, body: 'final' })
  })
})

describe('Expect: 100-continue', () => {
  const expecting = ['Expect: 100-continue', 'Content-Length: 4']

  test('goes to the upstream, and its 100 to the client, which then sends', async () => {
    for (const [framing, body, sent] of [
      ['Content-Length: 4', 'body', 'body'],
      ['Transfer-Encoding: chunked', '4\r\nbody\r\n0\r\n\r\n', '4\r\nbody\r\n0\r\n\r\n'],
    ] as const) {
      const { upstream, client } = await byHand()
      client.send(requestText('POST /', ['Expect: 100-continue', framing]))
      const server = await upstream.connection(1)
      const head = (await server.through('\r\n\r\n')) ?? ''
      expect(without(head.split('\r\n'), 'via').filter(line => line.startsWith('Expect'))).toEqual([
        'Expect: 100-continue',
      ])
      expect([server.received, client.received]).toEqual(['', ''])
      server.send('HTTP/1.1 100 Continue\r\n\r\n')
      expect((await client.response()).start).toBe('HTTP/1.1 100 Continue')
      client.send(body)
      expect(await server.exactly(sent.length)).toBe(sent)
      server.send(responseText(200, [], 'thanks'))
      const response = await client.response()
      expect([response.body, lineValue(response.lines, 'connection')]).toEqual(['thanks', undefined])
      // The connection goes on.
      client.send(requestText('GET /next'))
      await server.request()
      server.send(responseText(200, [], 'next'))
      expect((await client.response()).body).toBe('next')
    }
  })

  test.each([417, 413, 401, 200])('is answered %i by the upstream instead, and no body is taken', async status => {
    const { upstream, client } = await byHand()
    client.send(requestText('POST /', expecting))
    const server = await upstream.connection(1)
    await server.through('\r\n\r\n')
    server.send(responseText(status, [], 'instead'))
    const response = await client.response()
    expect([response.status, response.body, lineValue(response.lines, 'connection')]).toEqual([
      status,
      'instead',
      'close',
    ])
    await server.gone()
    await client.gone()
    expect(server.received).toBe('')
  })

  test('does not keep a client that sends all the same', async () => {
    const { upstream, client } = await byHand()
    client.send(requestText('POST /', expecting, 'body'))
    const server = await upstream.connection(1)
    expect((await server.request()).body).toBe('body')
    server.send(responseText(200, [], 'thanks'))
    expect(await client.response()).toMatchObject({ status: 200, body: 'thanks' })
  })

  test('is no business of the upstream where the gateway itself answers', async () => {
    const gateway = await startGateway({ routes: { own: { match: 'POST /', reply: { status: 200, body: 'own' } } } })
    const client = await connect(gateway.port)
    client.send(requestText('POST /', expecting))
    const response = await client.response()
    expect([response.status, lineValue(response.lines, 'connection')]).toEqual([200, 'close'])
  })

  test('with another expectation is refused', async () => {
    const { gateway, client } = await byHand()
    client.send(requestText('POST /', ['Expect: a miracle'], 'body'))
    expectProblem(gateway, await client.response(), 'GATEWAY_EXPECTATION_FAILED')
  })
})

describe('a response that comes while the body is still on its way', () => {
  const total = 64 << 20

  /** Sends body until told to stop; the connection may be reset at any time. */
  function flood(client: Wire): () => void {
    const piece = Buffer.alloc(256 << 10)
    let left = total
    const more = () => {
      while (left > 0 && !client.ended) {
        left -= piece.length
        if (!client.socket.write(piece)) return void client.socket.once('drain', more)
      }
    }
    more()
    return () => {
      left = 0
    }
  }

  test.each([
    ['goes on reading', false],
    ['closes and resets', true],
  ])('reaches the client when the upstream %s', async (_, closes) => {
    const { upstream, client } = await byHand()
    client.send(requestText('POST /', [`Content-Length: ${total}`]))
    const stop = flood(client)
    const server = await upstream.connection(1)
    await server.through('\r\n\r\n')
    server.send(responseText(413, closes ? ['Connection: close'] : [], 'too large'))
    // Unread bytes turn the close into a reset.
    if (closes) server.socket.pause().end(() => server.socket.destroy())
    const response = await client.response()
    expect([response.status, response.body, lineValue(response.lines, 'connection')]).toEqual([
      413,
      'too large',
      'close',
    ])
    stop()
    await server.gone()
  })

  test('leaves the connection usable when little of the body is left', async () => {
    const { upstream, client } = await byHand()
    client.send(requestText('POST /', ['Content-Length: 10'], 'half '))
    const server = await upstream.connection(1)
    await server.through('half ')
    server.send(responseText(403, [], 'no'))
    expect(await client.response()).toMatchObject({ status: 403, body: 'no' })
    // The upstream's end is not: the rest of the body stands between its requests.
    await server.gone()
    client.send(`other${requestText('GET /next')}`)
    const next = await upstream.connection(2)
    expect((await next.request()).start).toBe('GET /next HTTP/1.1')
    next.send(responseText(200, [], 'next'))
    expect((await client.response()).body).toBe('next')
  })

  test('that is not whole when the body ends goes on', async () => {
    const { upstream, client } = await byHand()
    client.send(requestText('POST /', ['Content-Length: 4'], 'ab'))
    const server = await upstream.connection(1)
    await server.through('ab')
    server.send(`${chunkedHead}3\r\none\r\n`)
    await client.through('one\r\n')
    client.send('cd')
    await server.through('cd')
    server.send('0\r\n\r\n')
    await client.through('0\r\n\r\n')
  })
})

describe('back-pressure', () => {
  test('stops an upstream whose client does not read', async () => {
    const total = 64 << 20
    let taken = 0
    const upstream = await rawUpstream(async wire => {
      await wire.request()
      wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`)
      const piece = Buffer.alloc(64 << 10)
      const more = () => {
        while (taken < total) {
          taken += piece.length
          if (!wire.socket.write(piece)) return void wire.socket.once('drain', more)
        }
      }
      more()
    })
    const { port } = await startGateway(proxyTo(upstream.origin))
    const client = await connect(port)
    client.socket.pause()
    client.send(requestText('GET /'))
    await settled(() => taken)
    expect(taken).toBeGreaterThan(0)
    expect(taken).toBeLessThan(total / 2)
    let received = 0
    client.socket.removeAllListeners('data')
    client.socket.on('data', text => {
      received += text.length
    })
    client.socket.resume()
    await eventually(() => expect(received).toBeGreaterThan(total))
  })

  test('stops a client whose upstream does not read', async () => {
    const total = 64 << 20
    const { upstream, client } = await byHand()
    client.send(requestText('POST /', [`Content-Length: ${total}`]))
    const server = await upstream.connection(1)
    server.socket.pause()
    const piece = Buffer.alloc(64 << 10)
    let sent = 0
    const more = () => {
      while (sent < total) {
        sent += piece.length
        if (!client.socket.write(piece)) return void client.socket.once('drain', more)
      }
    }
    more()
    await settled(() => sent)
    expect(sent).toBeLessThan(total / 2)
    let received = 0
    server.socket.removeAllListeners('data')
    server.socket.on('data', text => {
      received += text.length
    })
    server.socket.resume()
    await eventually(() => expect(received).toBeGreaterThan(total - 1))
    server.send(responseText(200, [], 'all'))
    expect((await client.response()).body).toBe('all')
  })
})

/** Until a count has stood still for many turns of the event loop, in which sockets had their say. */
async function settled(count: () => number): Promise<void> {
  let still = 0
  for (let last = -1; still < 200; still++) {
    if (count() !== last) still = 0
    last = count()
    await new Promise(resolve => setImmediate(resolve))
  }
}
