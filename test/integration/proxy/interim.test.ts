import { describe, expect, test } from 'vitest'
import { byHand } from '../../support/by-hand.ts'
import { proxyTo, startGateway } from '../../support/gateway.ts'
import { lineValue, without } from '../../support/message.ts'
import { expectProblem } from '../../support/problem.ts'
import { recordingBackend } from '../../support/upstream.ts'
import { connect, requestText, responseText, type Wire } from '../../support/wire.ts'

const chunkedHead = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

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
