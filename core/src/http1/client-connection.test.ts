import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import {
  get,
  noTimeouts,
  ok,
  pool,
  post,
  Recorder,
  type Script,
  type ServerPeer,
  send,
  upstream,
} from '../upstream/pool.fixture.ts'
import { ClientConnection } from './client-connection.ts'
import { RequestStream } from './client-stream.ts'
import { Fields } from './fields.ts'
import { websocketAccept } from './websocket-key.ts'

/** One request to an upstream that answers with these bytes and then does what is said. */
async function exchange(bytes: string, then?: (peer: ServerPeer) => void, request = get()) {
  const server = await upstream(async peer => {
    await peer.answer(bytes)
    then?.(peer)
  })
  const to = pool(server.origin)
  const { response, stream } = send(to, request)
  await response.over()
  return { response, stream, to, server }
}

const fin = (peer: ServerPeer) => peer.socket.end()
const reset = (peer: ServerPeer) => peer.socket.resetAndDestroy()

describe('requests', () => {
  const echo: Script = async peer => {
    const head = await peer.head()
    const body = /chunked/.test(head) ? await peer.until('\r\n0\r\n\r\n') : ''
    peer.send(ok(head + body))
  }

  test.each([
    ['GET has no framing', get('/a?b=c'), 'GET /a?b=c HTTP/1.1\r\nHost: example.test\r\n\r\n'],
    ['POST without a body says so', post(0), 'POST / HTTP/1.1\r\nHost: example.test\r\nContent-Length: 0\r\n\r\n'],
    [
      'DELETE without a body does not',
      get('/', { method: 'DELETE' }),
      'DELETE / HTTP/1.1\r\nHost: example.test\r\n\r\n',
    ],
    [
      'latin1 values go out as they are',
      get('/', { fields: Fields.from(['Host', 'a', 'X', 'caf\xe9']) }),
      'GET / HTTP/1.1\r\nHost: a\r\nX: caf\xe9\r\n\r\n',
    ],
  ])('%s', async (_, request, expected) => {
    const server = await upstream(echo)
    const { response } = send(pool(server.origin), request)
    await response.over()
    expect(response.body).toBe(expected)
  })

  test('chunked, large and small pieces, nothing for an empty one', async () => {
    const server = await upstream(echo)
    const { stream, response } = send(pool(server.origin), post(-1))
    await response.heard('connected')
    const large = 'x'.repeat(20_000)
    for (const piece of ['ab', '', large]) stream.sendData(Buffer.from(piece))
    stream.sendEnd(undefined)
    stream.sendEnd(undefined)
    await response.over()
    const [, body] = response.body.split('\r\n\r\n')
    expect(response.body).toContain('\r\nTransfer-Encoding: chunked\r\n\r\n')
    expect(body).toBe(`2\r\nab\r\n4e20\r\n${large}\r\n0`)
  })

  test('head and small body leave in one write', async () => {
    const reads: string[] = []
    const server = await upstream(async peer => {
      peer.socket.on('data', text => reads.push(String(text)))
      await peer.head()
      peer.send(ok(''))
      await peer.until('ody')
      peer.send(ok(''))
    })
    const to = pool(server.origin)
    await send(to).response.over()
    const { stream, response } = send(to, post(4))
    stream.sendData(Buffer.from('body'))
    stream.sendEnd(undefined)
    await response.over()
    expect(reads.length).toBe(2)
    expect(reads[1]).toMatch(/^POST .*\r\n\r\nbody$/s)
  })

  test('a head whose body is late leaves alone', async () => {
    const server = await upstream(async peer => {
      await peer.head()
      peer.send('HTTP/1.1 100 Continue\r\n\r\n')
      await peer.until('body')
      peer.send(ok(''))
    })
    const fields = Fields.from(['Host', 'a', 'Expect', '100-continue'])
    const { stream, response } = send(pool(server.origin), post(4, { fields }), { head: 5_000 })
    await response.heard('informational')
    stream.sendData(Buffer.from('body'))
    stream.sendEnd(undefined)
    await response.over()
    expect(response.calls).toEqual(['connected', 'informational', 'head', 'end'])
  })

  test.each([
    ['longer', 3, 'body'],
    ['shorter', 5, 'body'],
  ])('a body %s than its Content-Length is cut off', async (_, length, body) => {
    const server = await upstream(peer => peer.gone())
    const to = pool(server.origin)
    const { stream, response } = send(to, post(length))
    await response.heard('connected')
    stream.sendData(Buffer.from(body))
    stream.sendEnd(undefined)
    expect(response.error?.code).toBe('GATEWAY_INTERNAL')
    await server.peers[0]?.gone()
    expect(server.peers[0]?.received).not.toContain('body'.slice(0, length + 1).padEnd(5))
  })
})

describe('responses', () => {
  test('by length; fields without framing and those of one hop', async () => {
    const { response, to } = await exchange(
      ok('hello', 'Connection: keep-alive, x-a\r\nX-A: 1\r\nKeep-Alive: timeout=9\r\nX-B: 2\r\n'),
    )
    expect([response.status, response.reason, response.bodyLength, response.body]).toEqual([200, 'OK', 5, 'hello'])
    expect([...response.fields]).toEqual([['X-B', '2']])
    expect(to.stats.idle).toBe(1)
  })

  test('chunked with trailers', async () => {
    const { response, to } = await exchange(
      'HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\nContent-Length: 3\r\n\r\n',
    )
    expect([response.bodyLength, response.body]).toEqual([-1, 'hello!'])
    expect([...(response.trailers ?? [])]).toEqual([['X-Sum', '1']])
    expect(to.stats.idle).toBe(1)
  })

  test('until the connection closes', async () => {
    const { response, to } = await exchange('HTTP/1.1 200 OK\r\n\r\nhello', fin)
    expect([response.bodyLength, response.body, response.calls.at(-1)]).toEqual([-1, 'hello', 'end'])
    expect(to.stats.open).toBe(0)
  })

  test.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 5],
    ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', -1],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n', 7],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', 0],
    ['GET', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 0],
  ])('%s, no body after %j', async (method, bytes, told) => {
    const { response, to } = await exchange(bytes, undefined, get('/', { method }))
    expect(response.calls).toEqual(['connected', 'head', 'end'])
    expect(response.bodyLength).toBe(told)
    expect(to.stats.idle).toBe(1)
  })

  test('some 1xx, then the answer', async () => {
    const { response, to } = await exchange(
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${ok('x')}`,
    )
    expect(response.informational).toEqual([100, 103, 102])
    expect(response.calls.slice(-3)).toEqual(['head', 'data', 'end'])
    expect(to.stats.idle).toBe(1)
  })

  test('not more than 32 times 1xx for each', async () => {
    const server = await upstream(async peer => {
      for (const count of [32, 32, 33]) await peer.answer('HTTP/1.1 102 Processing\r\n\r\n'.repeat(count) + ok('x'))
    })
    const to = pool(server.origin)
    for (const code of [undefined, undefined, 'GATEWAY_UPSTREAM_INVALID']) {
      const response = await send(to).response.over()
      expect([response.informational.length, response.error?.code]).toEqual([32, code])
    }
    expect(to.stats.open).toBe(0)
  })

  test('byte by byte', async () => {
    const bytes = `HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`
    const server = await upstream(async peer => {
      peer.socket.setNoDelay(true)
      for (;;) {
        await peer.head()
        for (const byte of bytes) await new Promise(resolve => peer.socket.write(byte, resolve))
      }
    })
    const to = pool(server.origin)
    for (let i = 0; i < 2; i++) {
      const { response } = send(to)
      await response.over()
      expect([response.body, response.calls.at(-1)]).toEqual(['abc', 'end'])
    }
    expect(server.peers.length).toBe(1)
  })
})

describe('broken responses', () => {
  const head = 'HTTP/1.1 200 OK\r\n'
  test.each([
    ['garbage', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
    ['a field name with a space', `${head}X : y\r\n\r\n`],
    ['two lengths', `${head}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx`],
    ['length and chunked', `${head}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a coding that is not chunked', `${head}Transfer-Encoding: gzip\r\n\r\n`],
    ['chunked in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['too many fields', `${head}${'X: y\r\n'.repeat(257)}\r\n`],
    ['a head too large', `${head}X: ${'y'.repeat(70_000)}\r\n\r\n`],
    ['101 unasked', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'],
  ])('%s', async (_, bytes) => {
    const { response, to, server } = await exchange(bytes)
    expect(response.calls).toEqual(['connected', 'error'])
    expect(response.error).toMatchObject({ code: 'GATEWAY_UPSTREAM_INVALID', retryable: false })
    expect(response.error?.message).toContain(server.origin)
    expect(to.stats.open).toBe(0)
    await server.peers[0]?.gone()
  })

  test('256 fields and 60 KB are fine', async () => {
    const { response } = await exchange(ok('', `X: ${'y'.repeat(230)}\r\n`.repeat(255)))
    expect(response.calls).toEqual(['connected', 'head', 'end'])
  })

  test.each([
    ['chunk size', '5g\r\nhello'],
    ['end of a chunk', '5\r\nhelloX\r\n'],
    ['trailers', '0\r\nX Y: z\r\n\r\n'],
  ])('a malformed %s', async (_, body) => {
    const { response, to } = await exchange(`${head}Transfer-Encoding: chunked\r\n\r\n${body}`)
    expect(response.error?.code).toBe('GATEWAY_UPSTREAM_INVALID')
    expect(response.calls).not.toContain('end')
    expect(to.stats.open).toBe(0)
  })

  test.each([
    ['a FIN before a response', '', fin, 'GATEWAY_UPSTREAM_CLOSED', true],
    ['a reset before a response', '', reset, 'GATEWAY_UPSTREAM_CLOSED', true],
    ['a FIN within the head', 'HTTP/1.1 20', fin, 'GATEWAY_UPSTREAM_CLOSED', false],
    ['a FIN after a 1xx', 'HTTP/1.1 100 Continue\r\n\r\n', fin, 'GATEWAY_UPSTREAM_CLOSED', false],
    ['a FIN within a length', `${head}Content-Length: 9\r\n\r\nhello`, fin, 'GATEWAY_UPSTREAM_TRUNCATED', false],
    [
      'a FIN within a chunk',
      `${head}Transfer-Encoding: chunked\r\n\r\n9\r\nhello`,
      fin,
      'GATEWAY_UPSTREAM_TRUNCATED',
      false,
    ],
    [
      'a FIN between chunks',
      `${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`,
      fin,
      'GATEWAY_UPSTREAM_TRUNCATED',
      false,
    ],
    [
      'a FIN before the last CRLF',
      `${head}Transfer-Encoding: chunked\r\n\r\n0\r\n`,
      fin,
      'GATEWAY_UPSTREAM_TRUNCATED',
      false,
    ],
  ])('%s', async (_, bytes, act, code, retryable) => {
    const { response, to } = await exchange(bytes, act)
    expect(response.error).toMatchObject({ code, retryable })
    expect(response.calls.at(-1)).toBe('error')
    expect(response.calls).not.toContain('end')
    expect(to.stats.open).toBe(0)
  })

  test('a reset cuts a body off that only the close would have ended', async () => {
    const server = await upstream(async peer => void (await peer.answer(`${head}\r\nhello`)))
    const { response } = send(pool(server.origin))
    await response.heard('data')
    server.peers[0]?.socket.resetAndDestroy()
    await response.over()
    expect(response.error).toMatchObject({ code: 'GATEWAY_UPSTREAM_TRUNCATED', cause: { code: 'ECONNRESET' } })
  })

  test('a handler that throws harms its own exchange', async () => {
    const server = await upstream(async peer => {
      for (;;) await peer.answer()
    })
    const to = pool(server.origin)
    const { response } = send(to)
    response.on = call => {
      if (call === 'head') throw new Error('handler')
    }
    await response.over()
    expect(response.error).toMatchObject({ code: 'GATEWAY_INTERNAL', cause: { message: 'handler' } })
    expect((await send(to).response.over()).body).toBe('hello')
  })
})

describe('upgrades', () => {
  const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nX: y\r\n'
  const accepting = (head: string) => {
    const key = /\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: (.+)\r\n\r\n/.exec(head)?.[1]
    return `${switching}Sec-WebSocket-Accept: ${websocketAccept(key ?? '')}\r\n\r\n`
  }

  test('the socket goes to the exchange with what came after the head', async () => {
    const server = await upstream(async peer => {
      peer.send(`${accepting(await peer.head())}first`)
      peer.send(await peer.until('ping'))
      peer.socket.end()
    })
    const to = pool(server.origin)
    const { stream, response } = send(to, get('/', { upgrade: 'websocket' }))
    await response.over()
    expect(response.calls).toEqual(['connected', 'upgrade'])
    expect([response.status, response.first]).toEqual([101, 'first'])
    expect([...response.fields]).toEqual([
      ['X', 'y'],
      ['Upgrade', 'WebSocket'],
    ])
    expect(to.stats.open).toBe(0)
    stream.abort()
    response.socket?.write('ping')
    const echoed: Buffer[] = []
    for await (const piece of response.socket ?? []) echoed.push(piece)
    expect(Buffer.concat(echoed).toString()).toBe('ping')
  })

  test('refused: an ordinary answer on an ordinary connection', async () => {
    const { response, to } = await exchange(ok('no'), undefined, get('/', { upgrade: 'websocket' }))
    expect(response.body).toBe('no')
    expect(to.stats.idle).toBe(1)
  })

  test('to something else than asked', async () => {
    const { response } = await exchange(`${switching}\r\n`, undefined, get('/', { upgrade: 'h2c' }))
    expect(response.error?.code).toBe('GATEWAY_UPSTREAM_INVALID')
  })

  test.each(['', 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n'])(
    'of a WebSocket whose key is not answered: %j',
    async line => {
      const { response } = await exchange(`${switching}${line}\r\n`, undefined, get('/', { upgrade: 'websocket' }))
      expect(response.error?.code).toBe('GATEWAY_UPSTREAM_INVALID')
    },
  )

  test('CONNECT', async () => {
    const request = get('example.test:443', { method: 'CONNECT' })
    const { response, to } = await exchange('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nraw', undefined, request)
    expect(response.calls).toEqual(['connected', 'upgrade'])
    expect(response.first).toBe('raw')
    expect(to.stats.open).toBe(0)
    response.socket?.destroy()
  })
})

describe('back-pressure', () => {
  const size = 64 * 1024 * 1024

  /** Writes `size` bytes as they are taken. */
  async function pour(peer: ServerPeer, frame: (piece: Buffer) => Buffer = piece => piece): Promise<void> {
    const piece = Buffer.alloc(65_536, 'x')
    for (let sent = 0; sent < size; sent += piece.length) {
      if (!peer.socket.write(frame(piece))) await new Promise(resolve => peer.socket.once('drain', resolve))
    }
  }

  test.each(['length', 'chunked', 'close'])('a paused reader stops the upstream (%s)', async framing => {
    const heads: Record<string, string> = {
      length: `Content-Length: ${size}\r\n`,
      chunked: 'Transfer-Encoding: chunked\r\n',
      close: '',
    }
    const frame = (piece: Buffer) =>
      framing === 'chunked'
        ? Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')])
        : piece
    const server = await upstream(async peer => {
      for (;;) {
        await peer.head()
        peer.send(`HTTP/1.1 200 OK\r\n${heads[framing]}\r\n`)
        await pour(peer, frame)
        if (framing === 'chunked') peer.send('0\r\n\r\n')
        if (framing === 'close') peer.socket.end()
      }
    })
    const to = pool(server.origin)
    // A clock that would run out while the reader is the one that waits.
    const { stream, response } = send(to, get(), { idle: 250, head: 250 })
    response.keepsBody = false
    response.flowing = false
    await response.heard('data')
    const before = response.bytes
    await new Promise(resolve => setTimeout(resolve, 500))
    expect(response.error).toBeUndefined()
    expect(response.bytes).toBe(before)
    const [peer] = server.peers
    // Kernel buffers and one read of ours: far from the whole.
    const written = (peer?.socket.bytesWritten ?? 0) - (peer?.socket.writableLength ?? 0)
    expect(written).toBeLessThan(size / 2)
    // A reader that takes one piece at a time.
    response.on = call => {
      if (call === 'data') setImmediate(() => stream.resumeBody())
    }
    stream.resumeBody()
    await response.over()
    expect(response.error).toBeUndefined()
    expect(response.bytes).toBe(size)
    expect(to.stats.idle).toBe(framing === 'close' ? 0 : 1)
    if (framing === 'close') return
    // Nobody is left paused for the next exchange.
    const again = send(to)
    await again.response.heard('data')
    again.stream.abort()
  })

  test('an upstream that does not read stops the sender', async () => {
    const server = await upstream(async peer => {
      await peer.head()
      peer.socket.pause()
    })
    const to = pool(server.origin)
    const { stream, response } = send(to, post(size))
    await response.heard('connected')
    const piece = Buffer.alloc(65_536, 'x')
    let sent = 0
    let received = 0
    const push = () => {
      let flowing = true
      while (flowing && sent < size) {
        sent += piece.length
        flowing = stream.sendData(piece)
      }
      if (sent === size) stream.sendEnd(undefined)
    }
    response.on = call => {
      if (call === 'drain') push()
    }
    push()
    // As much as the kernel takes, then it rests.
    let last = -1
    while (last !== sent) {
      last = sent
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    expect(sent).toBeLessThan(size / 2)
    const [peer] = server.peers
    received = peer?.received.length ?? 0
    peer?.socket.removeAllListeners('data')
    peer?.socket.on('data', text => {
      received += text.length
      if (received === size) peer.send(ok('all'))
    })
    peer?.socket.resume()
    await response.over()
    expect(response.body).toBe('all')
    expect(received).toBe(size)
    expect(to.stats.idle).toBe(1)
  })

  test('what was read while paused is delivered though the upstream is gone', async () => {
    const server = await upstream(async peer => {
      await peer.answer('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n')
      peer.socket.end()
    })
    const to = pool(server.origin)
    const { stream, response } = send(to)
    response.flowing = false
    await response.heard('data')
    await server.peers[0]?.gone()
    expect(response.body).toBe('a')
    expect(to.stats.busy).toBe(0)
    stream.resumeBody()
    expect(response.body).toBe('ab')
    stream.resumeBody()
    expect(response.calls.at(-1)).toBe('end')
  })

  test('bytes past the response that came while paused are not the next one’s answer', async () => {
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n'
    const server = await upstream(async (peer, number) => {
      await peer.answer(number === 1 ? chunked : ok('own'))
      await peer.gone()
    })
    const to = pool(server.origin, { maxConnections: 1 })
    const first = send(to)
    first.response.flowing = false
    await first.response.heard('data')
    const second = send(to)
    server.peers[0]?.send(ok('forged'))
    // A round trip beside it: by then the bytes are in the process.
    await send(pool(server.origin)).response.over()
    first.stream.resumeBody()
    await second.response.over()
    expect(first.response.calls.at(-1)).toBe('end')
    expect(second.response.body).toBe('own')
  })

  test('nor is what is read before the request has been written', async () => {
    const server = await upstream(peer => peer.gone())
    const socket = connect(Number(new URL(server.origin).port), '127.0.0.1')
    await once(socket, 'connect')
    const connection = new ClientConnection(socket, server.origin, Infinity, {
      onIdle() {},
      onUpgraded() {},
      onGone() {},
    })
    const response = new Recorder()
    const stream = new RequestStream(get(), noTimeouts, response, { leave() {}, onWaitedTooLong() {} })
    stream.connect(connection, 0)
    socket.emit('data', Buffer.from(ok('forged')))
    expect(response).toMatchObject({ calls: ['connected', 'error'], error: { code: 'GATEWAY_UPSTREAM_CLOSED' } })
    expect(response.error?.retryable).toBe(true)
  })
})

describe('early responses', () => {
  test('a whole answer while the request is still being sent; the connection is not used again', async () => {
    const server = await upstream(async peer => {
      await peer.answer('HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno')
      await peer.gone()
    })
    const to = pool(server.origin)
    const { stream, response } = send(to, post(1_000_000))
    stream.sendData(Buffer.from('some'))
    await response.over()
    expect([response.status, response.body, response.calls.at(-1)]).toEqual([413, 'no', 'end'])
    expect(to.stats.open).toBe(0)
    expect(stream.sendData(Buffer.from('more'))).toBe(true)
    stream.sendEnd(undefined)
  })

  test('an answer is not lost though writing on fails before it has been read', async () => {
    const server = await upstream(peer => peer.gone())
    const { stream, response } = send(pool(server.origin), post(-1))
    await response.heard('connected')
    const [peer] = server.peers
    await peer?.head()
    // All in one tick: the server closes with bytes unread, so that the kernel sends a reset after the answer.
    stream.sendData(Buffer.from('unread'))
    peer?.socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno', () => peer.socket.destroy())
    await peer?.gone()
    expect(response.calls).toEqual(['connected'])
    // Both kinds of write, one buffer and several.
    stream.sendData(Buffer.from('small'))
    stream.sendData(Buffer.alloc(100_000))
    await response.over()
    expect([response.status, response.body, response.error]).toEqual([413, 'no', undefined])
  })

  test('both ways at once: an answer that begins before the request has ended', async () => {
    const server = await upstream(async peer => {
      await peer.head()
      peer.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
      await peer.until('4\r\nping\r\n')
      peer.send('4\r\npong\r\n')
      await peer.until('0\r\n\r\n')
      peer.send('0\r\n\r\n')
    })
    const to = pool(server.origin)
    const { stream, response } = send(to, post(-1))
    await response.heard('head')
    stream.sendData(Buffer.from('ping'))
    await response.heard('data')
    stream.sendEnd(undefined)
    await response.over()
    expect(response.body).toBe('pong')
    expect(to.stats.idle).toBe(1)
  })
})

describe('timeouts', () => {
  test('no head', async () => {
    const server = await upstream(async peer => {
      await peer.head()
      await peer.gone()
    })
    const to = pool(server.origin)
    const { response } = send(to, get(), { head: 30 })
    await response.over()
    expect(response.error).toMatchObject({ code: 'GATEWAY_UPSTREAM_HEAD_TIMEOUT', status: 504 })
    expect(to.stats.open).toBe(0)
    await server.peers[0]?.gone()
  })

  test('a head that drips gains no time', async () => {
    const server = await upstream(async peer => {
      await peer.head()
      peer.send('HTTP/1.1 200 OK\r\nX: ')
      const timer = setInterval(() => peer.send('y'), 10)
      await peer.gone()
      clearInterval(timer)
    })
    const { response } = send(pool(server.origin), get(), { head: 100 })
    await response.over()
    expect(response.error?.code).toBe('GATEWAY_UPSTREAM_HEAD_TIMEOUT')
  })

  test('the head’s clock starts when the request has been sent', async () => {
    const server = await upstream(async peer => {
      await peer.until('body')
      peer.send(ok('x'))
    })
    const { stream, response } = send(pool(server.origin), post(4), { head: 60, idle: 60 })
    await response.heard('connected')
    await new Promise(resolve => setTimeout(resolve, 200))
    stream.sendData(Buffer.from('body'))
    stream.sendEnd(undefined)
    await response.over()
    expect(response.body).toBe('x')
  })

  test('nobody answers to Expect', async () => {
    const server = await upstream(peer => peer.gone())
    const fields = Fields.from(['Host', 'a', 'Expect', '100-continue'])
    const { response } = send(pool(server.origin), post(4, { fields }), { head: 30 })
    await response.over()
    expect(response.error?.code).toBe('GATEWAY_UPSTREAM_HEAD_TIMEOUT')
  })

  test('a body that stops', async () => {
    const { response, to } = await (async () => {
      const server = await upstream(
        async peer => void (await peer.answer('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')),
      )
      const to = pool(server.origin)
      const { response } = send(to, get(), { idle: 30 })
      await response.over()
      return { response, to }
    })()
    expect(response.error?.code).toBe('GATEWAY_UPSTREAM_IDLE_TIMEOUT')
    expect(response.calls).toEqual(['connected', 'head', 'data', 'error'])
    expect(to.stats.open).toBe(0)
  })

  test('an upstream that takes nothing of the request', async () => {
    const server = await upstream(async peer => {
      await peer.head()
      peer.socket.pause()
    })
    const { stream, response } = send(pool(server.origin), post(-1), { idle: 50 })
    await response.heard('connected')
    const piece = Buffer.alloc(1024 * 1024)
    response.on = call => {
      if (call === 'drain') stream.sendData(piece)
    }
    stream.sendData(piece)
    await response.over()
    expect(response.error).toMatchObject({ code: 'GATEWAY_UPSTREAM_IDLE_TIMEOUT' })
    expect(response.error?.message).toContain('request body')
  })
})
