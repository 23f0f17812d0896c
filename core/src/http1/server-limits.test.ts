import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { GatewayError } from '../contract/errors.ts'
import { deadlines } from './deadlines.ts'
import { Fields } from './fields.ts'
import { messages } from './messages.vectors.ts'
import { answer, collect, serve } from './server.fixture.ts'
import type { ServerStream } from './wire.ts'

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const ok = (stream: ServerStream) => answer(stream, '<ok>')
const echo = (stream: ServerStream) => collect(stream, body => answer(stream, `<${body}>`))

describe('what is refused', () => {
  const refused = messages.filter(([, , verdict]) => typeof verdict === 'string')
  test.each(refused)('%s: answered, closed, and no exchange made of it', async (_name, message, verdict) => {
    let exchanges = 0
    await using server = await serve(stream => {
      exchanges++
      ok(stream)
    })
    const client = await server.client()
    const text = await client.send(`${message}${get}`).end()
    const status = verdict === 'GATEWAY_BAD_REQUEST' ? 400 : '(4|5)\\d\\d'
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*\\r\\nConnection: close\\r\\n\\r\\n${verdict}$`))
    expect(exchanges).toBe(0)
  })

  test('a policy that throws while it answers does not change that', async () => {
    await using server = await serve(ok, {
      onClientError() {
        throw new Error('policy')
      },
    })
    const client = await server.client()
    expect(await client.send('x\r\n\r\n').end()).toBe(
      'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
    )
    expect(server.faults).toEqual([new Error('policy')])
  })

  test('a body that breaks its framing reaches the sink as an error, and the answer is the last', async () => {
    const errors: string[] = []
    await using server = await serve(stream => {
      stream.readBody({
        onData: () => true,
        onEnd: () => expect.unreachable(),
        onError(error) {
          errors.push(error.code)
          answer(stream, 'bad', 400)
        },
      })
    })
    const client = await server.client()
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx\r\n${get}`)
    expect(await client.end()).toMatch(/^HTTP\/1\.1 400 [\s\S]*Connection: close\r\n\r\nbad$/)
    expect(errors).toEqual(['GATEWAY_BAD_REQUEST'])
  })
})

describe('time', () => {
  test('a head that drips ends when its time is over, however lively it is', async () => {
    await using server = await serve(ok, { headTimeout: 80 })
    const client = await server.client()
    await client.send(get).until('<ok>')
    client.take()
    client.send('GET / HTTP/1.1\r\nA: ')
    const drip = setInterval(() => client.send('b'), 10)
    expect(await client.end()).toMatch(/^HTTP\/1\.1 408 [\s\S]*GATEWAY_REQUEST_TIMEOUT$/)
    clearInterval(drip)
  })

  test('a connection that never says anything is closed without an answer', async () => {
    await using server = await serve(ok, { headTimeout: 60 })
    expect(await (await server.client()).end()).toBe('')
  })

  test('a connection that stays idle is closed without an answer', async () => {
    await using server = await serve(ok, { keepAliveTimeout: 60 })
    const client = await server.client()
    await client.send(get).until('<ok>')
    client.take()
    expect(await client.end()).toBe('')
  })

  test.each([
    ['stops', 0],
    ['drips', 10],
  ])('a body that %s times out', async (_name, every) => {
    await using server = await serve(
      stream => {
        stream.readBody({
          onData: () => true,
          onEnd: () => expect.unreachable(),
          onError: error => answer(stream, error.code, error.status),
        })
      },
      { bodyIdleTimeout: 100 },
    )
    const client = await server.client()
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc')
    // 50 bytes a second.
    const drip = every === 0 ? undefined : setInterval(() => client.send('b'), 20)
    expect(await client.end()).toMatch(/^HTTP\/1\.1 408 [\s\S]*Connection: close\r\n\r\nGATEWAY_REQUEST_TIMEOUT$/)
    clearInterval(drip)
  })

  test('that we hold a body up does not count', async () => {
    let resume = () => {}
    const { promise: paused, resolve } = Promise.withResolvers<void>()
    await using server = await serve(
      stream => {
        let size = 0
        stream.readBody({
          onData(chunk) {
            size += chunk.length
            resume = () => stream.resumeBody()
            resolve()
            return size >= 100_000
          },
          onEnd: () => answer(stream, `<${size}>`),
          onError: error => answer(stream, error.code, error.status),
        })
      },
      { bodyIdleTimeout: 60 },
    )
    const client = await server.client()
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(200_000)}`)
    await paused
    // Longer than the timeout, and what is shown is that nothing happens: there is no event to wait for.
    await new Promise(wait => setTimeout(wait, 200))
    expect(client.text).toBe('')
    const poke = setInterval(() => resume(), 1)
    await client.until('<200000>')
    clearInterval(poke)
  })

  test('a reader that takes nothing is given up', async () => {
    const { promise, resolve } = Promise.withResolvers<GatewayError>()
    await using server = await serve(
      stream => {
        stream.handler = { onDrain: fill, onAbort: resolve }
        stream.sendHead(200, '', new Fields(), -1)
        function fill() {
          while (stream.sendData(Buffer.alloc(65_536)));
        }
        fill()
      },
      { writeIdleTimeout: 100 },
    )
    const client = await server.client()
    client.socket.pause()
    client.send(get)
    expect(await promise).toMatchObject({ code: 'GATEWAY_CLIENT_CLOSED' })
    while (server.closed() === 0) await server.nextClose()
  })
})

describe('back-pressure', () => {
  test('a slow reader holds the response up, and memory stays bounded', async () => {
    let sent = 0
    let drains = 0
    const size = 32 * 1024 * 1024
    await using server = await serve(stream => {
      stream.sendHead(200, '', new Fields(), size)
      const chunk = Buffer.alloc(65_536)
      const fill = () => {
        while (sent < size) {
          sent += chunk.length
          if (!stream.sendData(chunk)) break
        }
        expect(server.sockets[0]?.writableLength).toBeLessThan(300_000)
        if (sent === size) stream.sendEnd(undefined)
      }
      stream.handler = {
        onDrain() {
          drains++
          fill()
        },
        onAbort: () => expect.unreachable(),
      }
      fill()
    })
    const client = await server.client()
    let received = 0
    client.socket.removeAllListeners('data')
    client.socket.on('data', chunk => {
      received += chunk.length
      client.socket.pause()
      setImmediate(() => client.socket.resume())
    })
    client.send(get)
    while (received < size) await turn()
    expect(drains).toBeGreaterThan(10)
  })

  test('a sink that pauses gets what came byte by byte meanwhile in few pieces', async () => {
    const bytes = Buffer.from(Array.from({ length: 3_000 }, (_, i) => 97 + (i % 26)))
    const pieces: string[] = []
    const paused = Promise.withResolvers<ServerStream>()
    const ended = Promise.withResolvers<void>()
    await using server = await serve(stream => {
      stream.readBody({
        onData(chunk) {
          pieces.push(Buffer.from(chunk).toString('latin1'))
          paused.resolve(stream)
          return pieces.length > 1
        },
        onEnd: () => ended.resolve(),
        onError: ended.reject,
      })
    })
    const client = await server.client()
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\na')
    const stream = await paused.promise
    const [socket] = server.sockets
    for (const byte of bytes.subarray(1).toString('latin1')) {
      const { bytesRead = 0 } = socket ?? {}
      client.send(byte)
      while (socket?.bytesRead === bytesRead) await new Promise(resolve => setImmediate(resolve))
    }
    stream.resumeBody()
    await ended.promise
    expect(pieces.join('')).toBe(bytes.toString('latin1'))
    expect(pieces.length).toBeLessThan(5)
    answer(stream, 'done')
    await client.until('done')
  })

  test('a sink that pauses stops the reading, and gets every byte in order', async () => {
    const size = 16 * 1024 * 1024
    let received = 0
    await using server = await serve(stream => {
      stream.readBody({
        onData(chunk) {
          for (const at of [0, chunk.length - 1]) expect(chunk[at]).toBe((received + at) % 251)
          received += chunk.length
          setImmediate(() => stream.resumeBody())
          return false
        },
        onEnd: () => answer(stream, `<${received}>`),
        onError: () => expect.unreachable(),
      })
    })
    const client = await server.client()
    const body = Buffer.alloc(size)
    for (let i = 0; i < size; i++) body[i] = i % 251
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`)
    client.socket.write(body)
    await client.until(`<${size}>`)
    await client.send(get).until(`<${size}>`, 2)
  })

  test('a body that nobody asks for is not read on', async () => {
    const { promise, resolve } = Promise.withResolvers<ServerStream>()
    await using server = await serve(resolve)
    const client = await server.client()
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n')
    client.socket.write(Buffer.alloc(50_000_000))
    const stream = await promise
    let backlog = -1
    while (client.socket.writableLength !== backlog) {
      backlog = client.socket.writableLength
      for (let i = 0; i < 100; i++) await turn()
    }
    expect(server.sockets[0]?.bytesRead).toBeLessThan(400_000)
    let size = 0
    stream.readBody({
      onData(chunk) {
        size += chunk.length
        return true
      },
      onEnd: () => answer(stream, `<${size}>`),
      onError: () => expect.unreachable(),
    })
    await client.until('<50000000>')
  })
})

describe('a response before the request’s end', () => {
  test.each([
    ['length', `Content-Length: ${8 * 1024 * 1024}\r\n\r\n`],
    ['chunks', `Transfer-Encoding: chunked\r\n\r\n800000\r\n`],
  ])('reaches a client that goes on sending (%s)', async (_name, framing) => {
    await using server = await serve(stream => answer(stream, 'too large', 413))
    const client = await server.client()
    client.send(`POST / HTTP/1.1\r\nHost: a\r\n${framing}`)
    client.socket.write(Buffer.alloc(8 * 1024 * 1024))
    expect(await client.end()).toMatch(/^HTTP\/1\.1 413 [\s\S]*Connection: close\r\n\r\ntoo large$/)
    expect(client.error).toBeUndefined()
  })

  test('lets the connection live when the rest is small', async () => {
    await using server = await serve(stream => {
      if (stream.bodyLength !== 0) answer(stream, '<early>')
      else ok(stream)
    })
    const client = await server.client()
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc').until('<early>')
    await client.send(`defghij${get}`).until('<ok>')
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n').until('<early>')
    await client.send(`3\r\nabc\r\n0\r\n\r\n${get}`).until('<ok>')
  })

  test('closes the connection when the rest does not come, or is not what it should be', async () => {
    await using server = await serve(stream => answer(stream, '<early>'), { lingerTimeout: 60 })
    const slow = await server.client()
    expect(await slow.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc').end()).toMatch(/<early>$/)
    const broken = await server.client()
    expect(await broken.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx').end()).toMatch(
      /<early>$/,
    )
    const long = await server.client()
    long.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    long.send('10000\r\n').socket.write(Buffer.alloc(65_536))
    long.send('\r\n1\r\na\r\n')
    expect(await long.end()).toMatch(/<early>$/)
  })

  test('ends the delivery of the body', async () => {
    let pieces = 0
    await using server = await serve(stream => {
      if (stream.bodyLength === 0) return ok(stream)
      stream.readBody({
        onData() {
          pieces++
          answer(stream, '<early>')
          return true
        },
        onEnd: () => expect.unreachable(),
        onError: () => expect.unreachable(),
      })
    })
    const client = await server.client()
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc').until('<early>')
    await client.send(`def${get}`).until('<ok>')
    expect(pieces).toBe(1)
    expect(server.faults).toEqual([])
  })
})

describe('a client that goes', () => {
  test('half-closes after its requests gets all its answers where that is wanted', async () => {
    await using server = await serve(stream => void setImmediate(() => setImmediate(() => echo(stream))), {
      serveHalfClosed: true,
    })
    const client = await server.client()
    client.socket.end(`${get}POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc`)
    expect((await client.end()).match(/<.*?>/g)).toEqual(['<>', '<abc>'])
    while (server.closed() === 0) await server.nextClose()
  })

  test('half-closes after its request is taken for gone otherwise', async () => {
    const { promise, resolve } = Promise.withResolvers<string>()
    await using server = await serve(stream => {
      stream.handler = { onDrain() {}, onAbort: error => resolve(error.code) }
    })
    const client = await server.client()
    client.socket.end(get)
    expect(await promise).toBe('GATEWAY_CLIENT_CLOSED')
    expect(await client.end()).toBe('')
    while (server.closed() === 0) await server.nextClose()
  })

  test('half-closes within a head is told so', async () => {
    await using server = await serve(ok)
    const client = await server.client()
    client.socket.end('GET / HT')
    expect(await client.end()).toMatch(/^HTTP\/1\.1 400 /)
  })

  const message = 'POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n'

  test.each(['end', 'destroy', 'reset'] as const)(
    'at any moment of its request leaves nothing behind (%s)',
    async how => {
      let begun = 0
      let over = 0
      await using server = await serve(stream => {
        begun++
        stream.handler = { onDrain() {}, onAbort: () => over++ }
        collect(stream, () => {
          // Never answered unless the request came in whole and the client can still hear it.
          over++
          answer(stream, 'x')
        })
      })
      for (let at = 0; at <= message.length; at += 3) {
        const client = await server.client()
        if (at > 0) await new Promise<void>(resolve => client.socket.write(message.slice(0, at), () => resolve()))
        if (how === 'end') client.socket.end()
        else if (how === 'destroy') client.socket.destroy()
        else client.socket.resetAndDestroy()
        while (server.closed() < server.connections.length || server.connections.length === 0) await turn()
      }
      expect(over).toBe(begun)
      expect(begun).toBeGreaterThan(5)
      expect(server.faults).toEqual([])
    },
  )

  test('while its answer is on the way aborts the exchange, once', async () => {
    const aborts: string[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    await using server = await serve(stream => {
      stream.handler = {
        onDrain() {},
        onAbort(error) {
          aborts.push(error.code)
          expect(stream.sendData(Buffer.from('x'))).toBe(true)
          stream.sendEnd(undefined)
          stream.abort(error)
          resolve()
        },
      }
      stream.sendHead(200, '', new Fields(), -1)
      stream.sendData(Buffer.from('abc'))
    })
    const client = await server.client()
    await client.send(get).until('abc')
    client.socket.resetAndDestroy()
    await promise
    while (server.closed() === 0) await server.nextClose()
    expect(aborts).toEqual(['GATEWAY_CLIENT_CLOSED'])
  })
})

describe('an exchange that throws', () => {
  const boom = () => {
    throw new Error('boom')
  }

  test.each<[string, (stream: ServerStream) => void]>([
    ['at once', boom],
    ['on data', stream => stream.readBody({ onData: boom, onEnd() {}, onError() {} })],
    ['at the end', stream => stream.readBody({ onData: () => true, onEnd: boom, onError() {} })],
  ])('%s is answered with a 500, and only its own connection closes', async (_name, onRequest) => {
    await using server = await serve(stream => (stream.method === 'GET' ? ok(stream) : onRequest(stream)))
    const bystander = await server.client()
    await bystander.send(get).until('<ok>')
    const client = await server.client()
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc')
    expect(await client.end()).toMatch(/^HTTP\/1\.1 500 [\s\S]*Connection: close\r\n\r\nGATEWAY_INTERNAL$/)
    expect(server.faults).toEqual([new Error('boom')])
    await bystander.send(get).until('<ok>', 2)
  })

  test('after the head is cut off', async () => {
    await using server = await serve(stream => {
      stream.sendHead(200, '', new Fields(), -1)
      boom()
    })
    const client = await server.client()
    await client.send(get).end()
    expect(client.text).not.toContain('0\r\n\r\n')
  })
})

describe('drain', () => {
  test('closes an idle connection now and a busy one after its answer', async () => {
    const { promise, resolve } = Promise.withResolvers<ServerStream>()
    await using server = await serve(stream => (stream.method === 'PUT' ? resolve(stream) : ok(stream)))
    const idle = await server.client()
    await idle.send(get).until('<ok>')
    const busy = await server.client()
    busy.send('PUT / HTTP/1.1\r\nHost: a\r\n\r\n')
    const stream = await promise
    for (const connection of server.connections) connection.drain()
    await idle.end()
    expect(busy.text).toBe('')
    answer(stream, 'late')
    expect(await busy.end()).toMatch(/Connection: close\r\n\r\nlate$/)
  })

  test('after the head of a response has gone still closes', async () => {
    const { promise, resolve } = Promise.withResolvers<ServerStream>()
    await using server = await serve(stream => {
      stream.sendHead(200, '', new Fields(), 2)
      resolve(stream)
    })
    const client = await server.client()
    client.send(get)
    const stream = await promise
    server.connections[0]?.drain()
    stream.sendData(Buffer.from('ok'))
    stream.sendEnd(undefined)
    expect(await client.end()).toMatch(/ok$/)
  })

  test('destroy aborts what is under way', async () => {
    const { promise, resolve } = Promise.withResolvers<string>()
    await using server = await serve(stream => {
      stream.handler = { onDrain() {}, onAbort: error => resolve(error.code) }
      setImmediate(() => server.connections[0]?.destroy())
    })
    const client = await server.client()
    await client.send(get).end()
    expect(await promise).toBe('GATEWAY_CLIENT_CLOSED')
  })
})

test('connections leave no deadline behind', async () => {
  const before = deadlines.size
  {
    await using server = await serve(ok)
    const clients = await Promise.all(Array.from({ length: 10 }, () => server.client()))
    for (const client of clients) await client.send(get).until('<ok>')
    expect(deadlines.size).toBe(before + 10)
    for (const client of clients) client.socket.destroy()
    while (server.closed() < 10) await server.nextClose()
  }
  expect(deadlines.size).toBe(before)
})
