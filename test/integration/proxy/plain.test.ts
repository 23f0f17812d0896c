import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { makeFolder } from '../../support/folder.ts'
import { proxyTo, startGateway } from '../../support/gateway.ts'
import { lineValue, without } from '../../support/message.ts'
import { recordingBackend } from '../../support/upstream.ts'
import { connect, exchange, requestText, responseText } from '../../support/wire.ts'

describe('a request', () => {
  test.each(['GET', 'DELETE', 'OPTIONS', 'PURGE', 'get'])('of method %s goes through without a body', async method => {
    const backend = await recordingBackend()
    const { port } = await startGateway(proxyTo(backend.origin))
    const response = await exchange(port, `${method} /a/b?x=1&y=%20z&x=2`)
    expect(response).toMatchObject({ start: 'HTTP/1.1 200 Any', body: 'hello', complete: true })
    expect(backend.only).toMatchObject({ start: `${method} /a/b?x=1&y=%20z&x=2 HTTP/1.1`, framing: 'none' })
  })

  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'GET'])('of method %s goes through with a body', async method => {
    const backend = await recordingBackend()
    const { port } = await startGateway(proxyTo(backend.origin))
    const response = await exchange(port, `${method} /`, [], 'a body, \0 and \xff')
    expect(response.status).toBe(200)
    expect(backend.only).toMatchObject({ body: 'a body, \0 and \xff', framing: 'length', complete: true })
  })

  test('with an empty body says so', async () => {
    const backend = await recordingBackend()
    const { port } = await startGateway(proxyTo(backend.origin))
    await exchange(port, 'POST /', ['Content-Length: 0'])
    expect(lineValue(backend.only.lines, 'content-length')).toBe('0')
  })

  test('keeps a query of any shape, an empty one excepted', async () => {
    const backend = await recordingBackend()
    const { port } = await startGateway(proxyTo(backend.origin))
    for (const query of ['?', '??', '?a=/../b//c', '?a[]=%zz&&=', '?%2F']) await exchange(port, `GET /p${query}`)
    expect(backend.requests.map(request => request.target)).toEqual([
      '/p',
      '/p??',
      '/p?a=/../b//c',
      '/p?a[]=%zz&&=',
      '/p?%2F',
    ])
  })

  test('of HTTP/1.0 is answered in its way', async () => {
    const backend = await recordingBackend(
      () => 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    )
    const { port } = await startGateway(proxyTo(backend.origin))
    const client = await connect(port)
    client.send('GET / HTTP/1.0\r\n\r\n')
    expect(await client.response()).toMatchObject({ start: 'HTTP/1.1 200 OK', framing: 'close', body: 'hello' })
    expect(backend.only.start).toBe('GET / HTTP/1.1')
    expect(lineValue(backend.only.lines, 'host')).toBe(new URL(backend.origin).host)
    expect(lineValue(backend.only.lines, 'via')).toBe('1.0 gateway')
  })

  test('of HTTP/1.0 without Host has one upstream even where the client counts', async () => {
    const backend = await recordingBackend()
    const { port } = await startGateway(proxyTo(backend.origin, { service: { preserveHost: true } }))
    const client = await connect(port)
    client.send('GET / HTTP/1.0\r\n\r\n')
    expect((await client.response()).status).toBe(200)
    expect(lineValue(backend.only.lines, 'host')).toBe(new URL(backend.origin).host)
  })
})

describe('a response', () => {
  test('to HEAD has the length of the body and none of it', async () => {
    const backend = await recordingBackend(() => 'HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: "x"\r\n\r\n')
    const { port } = await startGateway(proxyTo(backend.origin))
    const client = await connect(port)
    client.send(requestText('HEAD /') + requestText('HEAD /again'))
    for (const target of ['/', '/again']) {
      const response = await client.response('HEAD')
      expect(without(response.lines, 'x-request-id', 'date')).toEqual(['ETag: "x"', 'Content-Length: 1234'])
      expect(backend.requests.at(target === '/' ? 0 : 1)).toMatchObject({ method: 'HEAD', target })
    }
    expect(backend.wires.length).toBe(1)
  })

  test('to HEAD whose length nobody knows claims none', async () => {
    const backend = await recordingBackend(() => 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    const { port } = await startGateway(proxyTo(backend.origin))
    const client = await connect(port)
    client.send(requestText('HEAD /') + requestText('HEAD /'))
    for (const _ of [1, 2]) {
      const response = await client.response('HEAD')
      expect(without(response.lines, 'x-request-id', 'date')).toEqual([])
    }
  })

  test('of 204 and 304 has no body and leaves the connections in step', async () => {
    const answers = [
      'HTTP/1.1 204 No Content\r\n\r\n',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n',
      responseText(200, [], 'third'),
    ]
    const backend = await recordingBackend(() => answers.shift() ?? '')
    const { port } = await startGateway(proxyTo(backend.origin))
    const client = await connect(port)
    const own = ['x-request-id', 'date']
    client.send(requestText('GET /1'))
    const first = await client.response()
    expect([first.start, without(first.lines, ...own)]).toEqual(['HTTP/1.1 204 No Content', []])
    client.send(requestText('GET /2'))
    const second = await client.response()
    expect([second.start, without(second.lines, ...own)]).toEqual(['HTTP/1.1 304 Not Modified', ['Content-Length: 9']])
    client.send(requestText('GET /3'))
    expect(await client.response()).toMatchObject({ body: 'third' })
    expect(backend.wires.length).toBe(1)
  })

  test.each([200, 201, 206, 299, 404, 418, 500, 503, 599])(
    'of status %i keeps status, reason and body',
    async status => {
      const backend = await recordingBackend(() => `HTTP/1.1 ${status} In Its Own Words\r\nContent-Length: 2\r\n\r\nok`)
      const { port } = await startGateway(proxyTo(backend.origin))
      const response = await exchange(port, 'GET /')
      expect(response).toMatchObject({ start: `HTTP/1.1 ${status} In Its Own Words`, body: 'ok' })
    },
  )

  test('that ends with the connection becomes a chunked one', async () => {
    const backend = await recordingBackend(() => '')
    const { port } = await startGateway(proxyTo(backend.origin))
    const client = await connect(port)
    client.send(requestText('GET /'))
    const upstream = await backend.connection(1)
    upstream.socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end')
    expect(await client.response()).toMatchObject({ framing: 'chunked', body: 'until the end', complete: true })
  })

  test('keeps every line of its fields, duplicates and odd names among them', async () => {
    const lines = [
      'Set-Cookie: a=1; Path=/',
      'X-One: 1',
      'set-cookie: b=2, c=3',
      '__proto__: polluted',
      'constructor: x',
      'X-One: 2',
      'X_Under: _',
      'Vary: a',
      'X-Empty: ',
      'X-Latin: \xe9',
    ]
    const backend = await recordingBackend(() => responseText(200, lines, 'x'))
    const { port } = await startGateway(proxyTo(backend.origin))
    const response = await exchange(port, 'GET /')
    expect(without(response.lines, 'x-request-id', 'date')).toEqual([
      ...lines,
      'Content-Length: 1',
      'Connection: close',
    ])
  })
})

describe('connections', () => {
  test('to the upstream are used again, whichever client asks', async () => {
    const backend = await recordingBackend()
    const { port } = await startGateway(proxyTo(backend.origin))
    for (let i = 0; i < 5; i++) expect((await exchange(port, 'POST /', [], 'x')).body).toBe('hello')
    expect(backend.requests.length).toBe(5)
    expect(backend.wires.length).toBe(1)
  })

  test('from the client are kept for its next request', async () => {
    const backend = await recordingBackend()
    const { port } = await startGateway(proxyTo(backend.origin))
    const client = await connect(port)
    for (let i = 0; i < 3; i++) {
      client.send(requestText(`GET /${i}`))
      const response = await client.response()
      expect(lineValue(response.lines, 'connection')).toBeUndefined()
    }
    expect(backend.requests.map(request => request.target)).toEqual(['/0', '/1', '/2'])
  })

  test('to the upstream are not used again when it says so', async () => {
    const backend = await recordingBackend(() => responseText(200, ['Connection: close'], 'x'))
    const { port } = await startGateway(proxyTo(backend.origin))
    await exchange(port, 'GET /')
    await exchange(port, 'GET /')
    expect(backend.wires.length).toBe(2)
  })

  test('are as many as the pool allows, and requests wait for one', async () => {
    const backend = await recordingBackend(() => '')
    const { port } = await startGateway(proxyTo(backend.origin, { service: { pool: { connections: 1 } } }))
    const one = exchange(port, 'GET /1')
    const upstream = await backend.connection(1)
    const two = exchange(port, 'GET /2')
    upstream.send(responseText(200, [], 'one'))
    expect((await one).body).toBe('one')
    upstream.send(responseText(200, [], 'two'))
    expect((await two).body).toBe('two')
    expect(backend.wires.length).toBe(1)
  })
})

describe('several targets', () => {
  const named = (name: string) => recordingBackend(() => responseText(200, [], name))

  test('take turns', async () => {
    const [a, b] = [await named('a'), await named('b')]
    const { port } = await startGateway(proxyTo([a.origin, b.origin]))
    const bodies: string[] = []
    for (let i = 0; i < 6; i++) bodies.push((await exchange(port, 'GET /')).body)
    expect(bodies).toEqual(['a', 'b', 'a', 'b', 'a', 'b'])
  })

  test('take turns by weight, spread out', async () => {
    const [a, b] = [await named('a'), await named('b')]
    const { port } = await startGateway(proxyTo([{ url: a.origin, weight: 3 }, b.origin]))
    const bodies: string[] = []
    for (let i = 0; i < 8; i++) bodies.push((await exchange(port, 'GET /')).body)
    expect(bodies.join('')).toBe('aabaaaba')
  })
})

describe('the Host field', () => {
  test("is the target's, and the client's is told aside", async () => {
    const backend = await recordingBackend()
    const { port } = await startGateway(proxyTo(backend.origin))
    await exchange(port, 'GET /', ['Host: Shop.Example:8080'])
    expect(lineValue(backend.only.lines, 'host')).toBe(new URL(backend.origin).host)
    expect(lineValue(backend.only.lines, 'x-forwarded-host')).toBe('Shop.Example:8080')
  })

  test("is the client's with preserveHost", async () => {
    const backend = await recordingBackend()
    const { port } = await startGateway(proxyTo(backend.origin, { service: { preserveHost: true } }))
    await exchange(port, 'GET /', ['Host: Shop.Example:8080'])
    expect(lineValue(backend.only.lines, 'host')).toBe('Shop.Example:8080')
    expect(lineValue(backend.only.lines, 'x-forwarded-host')).toBe('Shop.Example:8080')
  })

  test('that a route sets is the one that goes out', async () => {
    const backend = await recordingBackend()
    const { port } = await startGateway(
      proxyTo(backend.origin, { route: { requestHeaders: { set: { Host: 'virtual.example' } } } }),
    )
    await exchange(port, 'GET /')
    expect(lineValue(backend.only.lines, 'host')).toBe('virtual.example')
    expect(lineValue(backend.only.lines, 'x-forwarded-host')).toBe('gateway.test')
  })
})

describe('addresses', () => {
  test('may be IPv6 on both sides', async () => {
    const backend = await recordingBackend(undefined, { host: '::1' })
    const { gateway } = await startGateway({ ...proxyTo(backend.origin), listen: { host: '::1' } })
    const [address] = gateway.addresses
    expect(address).toMatchObject({ host: '::1', url: `http://[::1]:${address?.port}` })
    const client = await connect({ host: '::1', port: address?.port ?? 0 })
    client.send(requestText('GET /'))
    expect((await client.response()).body).toBe('hello')
    expect(lineValue(backend.only.lines, 'host')).toBe(new URL(backend.origin).host)
    expect(lineValue(backend.only.lines, 'x-forwarded-for')).toBe('::1')
    expect(lineValue(backend.only.lines, 'x-real-ip')).toBe('::1')
  })

  test('of IPv4 clients are IPv4 on a listener for both', async () => {
    const backend = await recordingBackend()
    const { port } = await startGateway({ ...proxyTo(backend.origin), listen: { host: '::' } })
    await exchange(port, 'GET /')
    expect(lineValue(backend.only.lines, 'x-forwarded-for')).toBe('127.0.0.1')
  })

  test('of targets may be Unix sockets', async () => {
    const path = join(makeFolder(), 'an upstream.sock')
    const backend = await recordingBackend(undefined, { path })
    const { port } = await startGateway(proxyTo(`unix:${path.replace(' ', '%20')}`))
    expect((await exchange(port, 'GET /over/unix')).body).toBe('hello')
    expect(backend.only.target).toBe('/over/unix')
    expect(lineValue(backend.only.lines, 'host')).toBe('localhost')
  })
})
