import { describe, expect, test } from 'vitest'
import { Fields } from './fields.ts'
import { answer, collect, serve } from './server.fixture.ts'
import type { ServerStream } from './wire.ts'

const get = (path: string, ...fields: string[]) =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields.map(line => `${line}\r\n`).join('')}\r\n`

/** Answers with what came: method, target and body. */
function echo(stream: ServerStream): void {
  collect(stream, body => answer(stream, `<${stream.method} ${stream.target} ${body.toString('latin1')}>`))
}

describe('a response', () => {
  test('of known length is framed by it, with a Date, and the connection lives on', async () => {
    await using server = await serve(echo)
    const client = await server.client()
    await client.send(get('/1')).until('<GET /1 >')
    expect(client.take()).toMatch(
      /^HTTP\/1\.1 200 OK\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\nContent-Length: 9\r\n\r\n<GET \/1 >$/,
    )
    await client.send(get('/2')).until('<GET /2 >')
    expect(server.connections).toHaveLength(1)
  })

  test('keeps its own Date and reason, and loses framing and hop-by-hop fields that somebody set', async () => {
    await using server = await serve(stream => {
      const fields = Fields.from([
        'Date',
        'x',
        'Content-Length',
        '99',
        'Transfer-Encoding',
        'x',
        'Connection',
        'y',
        'Y',
        '1',
        'Z',
        '2',
      ])
      stream.sendHead(299, 'Quite Odd', fields, 2)
      stream.sendData(Buffer.from('ok'))
      stream.sendEnd(undefined)
    })
    const client = await server.client()
    await client.send(get('/')).until('ok')
    expect(client.text).toBe('HTTP/1.1 299 Quite Odd\r\nDate: x\r\nZ: 2\r\nContent-Length: 2\r\n\r\nok')
  })

  test('of unknown length is chunked, with trailers', async () => {
    await using server = await serve(stream => {
      stream.sendHead(200, '', Fields.from(['Date', 'x']), -1)
      stream.sendData(Buffer.from('hello'))
      stream.sendData(Buffer.alloc(0))
      stream.sendData(Buffer.from('w'.repeat(20_000)))
      stream.sendEnd(Fields.from(['X-Sum', '1']))
    })
    const client = await server.client()
    await client.send(get('/')).until('X-Sum')
    expect(client.text).toBe(
      `HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n4e20\r\n${'w'.repeat(20_000)}\r\n0\r\nX-Sum: 1\r\n\r\n`,
    )
  })

  test('that is small goes out in one piece, and so do those to pipelined requests', async () => {
    let writes = 0
    await using server = await serve(stream => {
      stream.sendHead(200, '', new Fields(), -1)
      stream.sendData(Buffer.from('a'))
      stream.sendData(Buffer.from('b'))
      stream.sendEnd(undefined)
    })
    const client = await server.client()
    client.socket.on('data', () => writes++)
    await client.send(get('/')).until('0\r\n\r\n')
    expect(writes).toBe(1)
    client.take()
    await client.send(get('/').repeat(3)).until('0\r\n\r\n', 3)
    expect(writes).toBe(2)
  })

  test.each([
    ['HEAD', 200, 7, 'Content-Length: 7\r\n'],
    ['HEAD', 200, -1, ''],
    ['HEAD', 304, -1, ''],
    ['GET', 304, 7, 'Content-Length: 7\r\n'],
    ['GET', 304, 0, ''],
    ['GET', 204, 0, ''],
    ['GET', 200, 0, 'Content-Length: 0\r\n'],
  ])('to %s with %i and length %i has no body', async (method, status, length, line) => {
    await using server = await serve(stream => {
      stream.sendHead(status, 'R', Fields.from(['Date', 'x']), length)
      if (length !== 0) stream.sendData(Buffer.from('ignored'))
      stream.sendEnd(undefined)
    })
    const client = await server.client()
    client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`)
    const head = `HTTP/1.1 ${status} R\r\nDate: x\r\n${line}\r\n`
    await client.until(head)
    await client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`).until(head + head)
    expect(client.text).toBe(head + head)
  })

  test('may be preceded by informational ones, but not on HTTP/1.0 and not after the head', async () => {
    await using server = await serve(stream => {
      stream.sendInformational(103, Fields.from(['Link', '</a>']))
      stream.sendInformational(102, undefined)
      stream.sendHead(200, '', Fields.from(['Date', 'x']), 0)
      stream.sendInformational(103, undefined)
      stream.sendEnd(undefined)
    })
    const client = await server.client()
    await client.send(get('/')).until('200 OK\r\nDate: x\r\nContent-Length: 0\r\n\r\n')
    expect(client.text).toBe(
      'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 0\r\n\r\n',
    )
    const old = await server.client()
    expect(await old.send('GET / HTTP/1.0\r\n\r\n').end()).toMatch(/^HTTP\/1\.1 200 OK/)
  })

  test.each([
    ['longer', (stream: ServerStream) => void stream.sendData(Buffer.from('too long'))],
    ['shorter', (stream: ServerStream) => stream.sendEnd(undefined)],
  ])('that turns out %s than it said is cut off', async (_name, send) => {
    await using server = await serve(stream => {
      stream.sendHead(200, '', new Fields(), 5)
      stream.sendData(Buffer.from('abc'))
      send(stream)
    })
    const client = await server.client()
    await client.send(get('/')).end()
    expect(server.faults).toHaveLength(1)
    expect(client.text).not.toContain('too long')
  })

  test('that is given up is cut off without a last chunk', async () => {
    await using server = await serve(stream => {
      stream.sendHead(200, '', new Fields(), -1)
      stream.sendData(Buffer.from('abc'))
      setImmediate(() => stream.abort(Object.assign(new Error('x')) as never))
    })
    const client = await server.client()
    await client.send(get('/')).end()
    expect(client.text).toMatch(/3\r\nabc\r\n$/)
  })
})

describe('requests', () => {
  test('that are pipelined are answered one after the other, in order', async () => {
    let running = 0
    await using server = await serve(stream => {
      expect(++running).toBe(1)
      const delay = stream.target === '/0' ? 3 : 1
      let turns = 0
      const turn = () => {
        if (++turns < delay) return void setImmediate(turn)
        running--
        echo(stream)
      }
      turn()
    })
    const client = await server.client()
    const post = 'POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc'
    const chunked = 'POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
    client.send(Array.from({ length: 20 }, (_, i) => get(`/${i}`) + post + chunked).join(''))
    await client.until('<POST /c abc>', 20)
    const order = [...client.text.matchAll(/<\w+ (\S+) /g)].map(match => match[1])
    expect(order).toEqual(Array.from({ length: 20 }, (_, i) => [`/${i}`, '/p', '/c']).flat())
  })

  test('cut at every byte arrive the same', async () => {
    await using server = await serve(echo)
    const message = `${get('/1')}POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: 1\r\n\r\n${get('/3')}`
    const client = await server.client()
    for (let at = 1; at < message.length; at++) {
      client.send(message.slice(0, at))
      await new Promise<void>(resolve => client.socket.write(Buffer.from(message.slice(at), 'latin1'), () => resolve()))
      await client.until('<GET /3 >')
      expect(client.take().match(/<[^>]*>/g)).toEqual(['<GET /1 >', '<POST /2 abc>', '<GET /3 >'])
    }
  })

  test('deliver their trailers', async () => {
    await using server = await serve(stream => {
      collect(stream, (_body, trailers) => answer(stream, `<${trailers?.get('x-sum')} ${trailers?.get('host')}>`))
    })
    const client = await server.client()
    client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 7\r\nHost: b\r\n\r\n')
    await client.until('<7 undefined>')
  })

  test('of HTTP/1.0 close, unless they ask for more; a response of unknown length ends by the close', async () => {
    await using server = await serve(stream => {
      const unknown = stream.target === '/unknown'
      stream.sendHead(200, '', Fields.from(['Date', 'x']), unknown ? -1 : 2)
      stream.sendData(Buffer.from('ok'))
      stream.sendEnd(Fields.from(['X', '1']))
    })
    const close = 'HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok'
    expect(await (await server.client()).send('GET / HTTP/1.0\r\n\r\n').end()).toBe(close)
    const keep = await server.client()
    keep.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    await keep.until('HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok')
    keep.take()
    keep.send('GET /unknown HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    expect(await keep.end()).toBe('HTTP/1.1 200 OK\r\nDate: x\r\nConnection: close\r\n\r\nok')
  })

  test('that ask to close are the last', async () => {
    await using server = await serve(echo)
    const client = await server.client()
    const text = await client.send(get('/1', 'Connection: close') + get('/2')).end()
    expect(text).toContain('Connection: close\r\n\r\n<GET /1 >')
    expect(text).not.toContain('/2')
  })

  test('beyond the limit of a connection close it', async () => {
    await using server = await serve(echo, { maxRequestsPerConnection: 2 })
    const client = await server.client()
    const text = await client.send(get('/1') + get('/2') + get('/3')).end()
    expect(text.match(/<[^>]*>/g)).toEqual(['<GET /1 >', '<GET /2 >'])
    expect(text.match(/Connection: close/g)).toHaveLength(1)
  })

  test('read ahead are bounded', async () => {
    let first: ServerStream | undefined
    await using server = await serve(stream => {
      if (first === undefined) first = stream
      else echo(stream)
    })
    const client = await server.client()
    const flood = 9_000
    client.send(get('/first') + get('/next', `A: ${'b'.repeat(1000)}`).repeat(flood))
    // Reading stops by itself, which shows in the client's backlog standing still.
    let backlog = -1
    while (client.socket.writableLength !== backlog || first === undefined) {
      backlog = client.socket.writableLength
      for (let turn = 0; turn < 100; turn++) await new Promise(resolve => setImmediate(resolve))
    }
    // maxPendingBytes, and what Node reads before it hears of a pause.
    expect(server.sockets[0]?.bytesRead).toBeLessThan(400_000)
    answer(first, 'first')
    await client.until('<GET /next >', flood)
  })
})

describe('Expect: 100-continue', () => {
  const head = 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n'

  test('is passed to the exchange, which continues', async () => {
    await using server = await serve(stream => {
      if (stream.expectsContinue) stream.sendInformational(100, undefined)
      echo(stream)
    })
    const client = await server.client()
    await client.send(head).until('HTTP/1.1 100 Continue\r\n\r\n')
    await client.send('abc').until('<PUT / abc>')
    expect(client.take()).not.toContain('Connection: close')
    await client.send(get('/2')).until('<GET /2 >')
    expect(client.text).not.toContain('100 Continue')
  })

  test('that is answered at once closes, since nobody knows whether the body comes', async () => {
    await using server = await serve(stream => answer(stream, 'no', 403))
    const client = await server.client()
    expect(await client.send(head).end()).toMatch(/^HTTP\/1\.1 403 [\s\S]*Connection: close\r\n\r\nno$/)
  })

  test('any other expectation is refused', async () => {
    await using server = await serve(echo)
    const client = await server.client()
    expect(await client.send(get('/', 'Expect: magic')).end()).toMatch(
      /^HTTP\/1\.1 417 [\s\S]*GATEWAY_EXPECTATION_FAILED$/,
    )
  })
})

describe('upgrades', () => {
  test('hand the socket over with what the client sent too early', async () => {
    const { promise, resolve } = Promise.withResolvers<string>()
    await using server = await serve(stream => {
      expect(stream.upgrade).toBe('websocket')
      const { socket, head } = stream.detach(101, Fields.from(['Sec-X', '1']))
      let heard = Buffer.from(head).toString()
      socket.on('data', chunk => {
        heard += chunk
        if (heard.endsWith('late')) {
          socket.end('bye')
          resolve(heard)
        }
      })
      socket.resume()
    })
    const client = await server.client()
    client.send(`${get('/', 'Connection: upgrade', 'Upgrade: WebSocket')}early`)
    await client.until(
      'HTTP/1.1 101 Switching Protocols\r\nSec-X: 1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    )
    client.send('late')
    expect(await promise).toBe('earlylate')
    await client.until(/bye$/)
    const closed = server.nextClose()
    client.socket.end()
    await closed
    expect(server.closed()).toBe(1)
  })

  test('CONNECT becomes a tunnel', async () => {
    await using server = await serve(stream => {
      const { socket } = stream.detach(200, new Fields())
      socket.pipe(socket)
    })
    const client = await server.client()
    client.send('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n')
    await client.until(/^HTTP\/1\.1 200 OK\r\n(?:Date.*\r\n)?\r\n$/)
    await client.send('ping').until('ping')
  })
})
