import { describe, expect, test } from 'vitest'
import { byHand } from '../../support/by-hand.ts'
import { eventually } from '../../support/eventually.ts'
import { proxyTo, startGateway } from '../../support/gateway.ts'
import { rawUpstream, recordingBackend, startUpstream } from '../../support/upstream.ts'
import { connect, exchange, requestText, responseText } from '../../support/wire.ts'

const chunkedHead = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

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
