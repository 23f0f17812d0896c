import { execFile } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { Fields } from '../http1/fields.ts'
import { get, noTimeouts, ok, pool, post, Recorder, type ServerPeer, send, upstream } from './pool.fixture.ts'

/** A script that keeps what it was asked until it is told to answer. */
function holding() {
  const asked: { peer: ServerPeer; head: string }[] = []
  let wake: () => void = () => {}
  const script = async (peer: ServerPeer) => {
    for (;;) {
      const head = await peer.head()
      asked.push({ peer, head })
      wake()
    }
  }
  /** Resolves once that many requests have come. */
  const have = async (count: number) => {
    while (asked.length < count) {
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  }
  return { script, asked, have }
}

const forever = async (peer: ServerPeer) => {
  for (;;) await peer.answer()
}

describe('reuse', () => {
  test('two requests, one after the other, share a connection', async () => {
    const server = await upstream(forever)
    const to = pool(server.origin)
    const one = send(to)
    expect(one.stream.untouched).toBe(true)
    expect(to.stats).toEqual({ open: 0, idle: 0, busy: 0, connecting: 1, queued: 1 })
    await one.response.over()
    expect(one.response.body).toBe('hello')
    expect(one.stream.reused).toBe(false)
    expect(one.response.connectMs).toBeGreaterThan(0)
    expect(to.stats).toEqual({ open: 1, idle: 1, busy: 0, connecting: 0, queued: 0 })

    const two = send(to)
    // The same tick: no wait for a promise.
    expect(two.response.calls).toEqual(['connected'])
    expect(two.stream.untouched).toBe(false)
    expect(two.stream.reused).toBe(true)
    expect(two.response.connectMs).toBe(0)
    expect(to.inFlight).toBe(1)
    await two.response.over()
    expect(two.response.calls).toEqual(['connected', 'head', 'data', 'end'])
    expect(server.peers.length).toBe(1)
  })

  test('a process that was blocked for a moment still uses its idle connection', async () => {
    const server = await upstream(forever)
    const to = pool(server.origin)
    await send(to).response.over()
    // Longer than an idle connection holds the process; its coarse timer has had no turn.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150)
    const two = send(to)
    expect(two.stream.reused).toBe(true)
    await two.response.over()
    expect(server.peers.length).toBe(1)
  })

  test('the connection is free when the end is told', async () => {
    const server = await upstream(forever)
    const to = pool(server.origin)
    const one = send(to)
    const nested = new Recorder()
    one.response.on = call => {
      if (call === 'end') to.request(get(), noTimeouts, nested)
    }
    await one.response.over()
    await nested.over()
    expect(nested.body).toBe('hello')
    expect(server.peers.length).toBe(1)
  })

  test('the connection used last goes first', async () => {
    const { script, asked, have } = holding()
    const server = await upstream(script)
    const to = pool(server.origin)
    const sent = [send(to, get('/a')), send(to, get('/b'))]
    await have(2)
    const [a, b] = asked
    a?.peer.send(ok('a'))
    await Promise.race(sent.map(({ response }) => response.over()))
    b?.peer.send(ok('b'))
    await Promise.all(sent.map(({ response }) => response.over()))
    const third = send(to, get('/c'))
    await have(3)
    expect(asked[2]?.peer).toBe(b?.peer)
    asked[2]?.peer.send(ok('c'))
    await third.response.over()
  })

  test.each([
    ['Connection: close', 'HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n'],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['Keep-Alive: timeout=1', ok('', 'Keep-Alive: timeout=1\r\n')],
    ['extra bytes', `${ok('')}X`],
    ['a second response', `${ok('')}${ok('')}`],
  ])('not after %s', async (_, response) => {
    const server = await upstream(async peer => void (await peer.answer(response)))
    const to = pool(server.origin)
    const { response: heard } = send(to)
    await heard.over()
    expect(heard.calls).toEqual(['connected', 'head', 'end'])
    expect(to.stats.open).toBe(0)
    await server.peers[0]?.gone()
  })

  test('HTTP/1.0 with Connection: keep-alive is kept', async () => {
    const server = await upstream(
      async peer => void (await peer.answer('HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n')),
    )
    const to = pool(server.origin)
    await send(to).response.over()
    expect(to.stats.idle).toBe(1)
  })

  test('a connection that the server closes leaves at once', async () => {
    const server = await upstream(async peer => {
      await peer.answer()
      await peer.head()
      peer.socket.end()
    })
    const to = pool(server.origin)
    await send(to).response.over()
    const { stream, response } = send(to)
    await response.over()
    expect(response.error).toMatchObject({ code: 'GATEWAY_UPSTREAM_CLOSED', retryable: true })
    expect(response.error?.message).toContain(server.origin)
    expect(stream.reused).toBe(true)
    expect(to.stats.open).toBe(0)
  })

  test.each([
    ['closes', (peer: ServerPeer) => peer.socket.end()],
    ['resets', (peer: ServerPeer) => peer.socket.resetAndDestroy()],
    ['speaks unasked', (peer: ServerPeer) => peer.send('HTTP/1.1 408 Request Timeout\r\n\r\n')],
  ])('an idle connection whose server %s is gone', async (_, act) => {
    const server = await upstream(forever)
    const to = pool(server.origin)
    await send(to).response.over()
    expect(to.stats.idle).toBe(1)
    const [peer] = server.peers
    if (peer !== undefined) act(peer)
    await peer?.gone()
    await expect.poll(() => to.stats.open).toBe(0)
    await send(to).response.over()
    expect(server.peers.length).toBe(2)
  })

  test('idle timeout, the upstream’s hint, and lifetime', async () => {
    const hinted = await upstream(async peer => {
      for (;;) await peer.answer(ok('', 'Keep-Alive: timeout=2, max=100\r\n'))
    })
    const plain = await upstream(forever)
    const idle = pool(plain.origin, { idleTimeout: 30 })
    const old = pool(plain.origin, { maxLifetime: 30 })
    const told = pool(hinted.origin)
    for (const to of [idle, old, told]) {
      await send(to).response.over()
      expect(to.stats.idle).toBe(1)
    }
    for (const to of [idle, old, told]) await expect.poll(() => to.stats.open, { timeout: 3_000 }).toBe(0)
  })

  test('an idle connection holds no process', async () => {
    const server = await upstream(forever)
    const url = new URL('./pool.ts', import.meta.url).href
    const fields = new URL('../http1/fields.ts', import.meta.url).href
    const script = `
      import { Pool } from ${JSON.stringify(url)}
      import { Fields } from ${JSON.stringify(fields)}
      const request = { method: 'GET', target: '/', fields: Fields.from(['Host', 'a']), bodyLength: 0 }
      const handler = { onInformational() {}, onUpgrade() {}, onDrain() {}, onHead() {}, onError() {},
        onData: () => true, onEnd: () => console.log('answered') }
      new Pool(${JSON.stringify(server.origin)}).request(request, { connect: 0, head: 0, idle: 0 }, handler)`
    const output = await new Promise<string>((resolve, reject) => {
      execFile(process.execPath, ['--input-type=module', '-e', script], { timeout: 10_000 }, (error, out) =>
        error ? reject(error) : resolve(out),
      )
    })
    expect(output).toBe('answered\n')
  })
})

describe('limits', () => {
  test('no more connections than allowed; the rest wait in order', async () => {
    const { script, asked, have } = holding()
    const server = await upstream(script)
    const to = pool(server.origin, { maxConnections: 2 })
    const sent = ['/1', '/2', '/3', '/4'].map(target => send(to, get(target)))
    await have(2)
    expect(to.stats).toEqual({ open: 2, idle: 0, busy: 2, connecting: 0, queued: 2 })
    expect(to.inFlight).toBe(4)
    for (let served = 0; served < 4; served++) {
      await have(served + 1)
      asked[served]?.peer.send(ok('x'))
    }
    await Promise.all(sent.map(({ response }) => response.over()))
    expect(asked.slice(2).map(({ head }) => head.split(' ')[1])).toEqual(['/3', '/4'])
    expect(server.peers.length).toBe(2)
    expect(to.stats).toEqual({ open: 2, idle: 2, busy: 0, connecting: 0, queued: 0 })
  })

  test('a full queue refuses, never before request() returns', async () => {
    const { script, asked, have } = holding()
    const server = await upstream(script)
    const to = pool(server.origin, { maxConnections: 1, maxQueued: 1 })
    const first = send(to)
    const second = send(to)
    const third = send(to)
    expect(third.response.calls).toEqual([])
    await third.response.over()
    expect(third.response.error).toMatchObject({ code: 'GATEWAY_POOL_EXHAUSTED', status: 503 })
    expect(third.stream.untouched).toBe(true)
    for (const [index, { response }] of [first, second].entries()) {
      await have(index + 1)
      asked[index]?.peer.send(ok(''))
      await response.over()
    }
    expect(second.response.calls).toEqual(['connected', 'head', 'end'])
  })

  test('a wait for a connection that is too long', async () => {
    const { script, have } = holding()
    const server = await upstream(script)
    const to = pool(server.origin, { maxConnections: 1 })
    send(to)
    await have(1)
    const { response } = send(to, get(), { connect: 20 })
    await response.over()
    expect(response.error?.code).toBe('GATEWAY_POOL_EXHAUSTED')
    expect(to.stats.queued).toBe(0)
  })

  test('a closed connection makes room', async () => {
    const { script, asked, have } = holding()
    const server = await upstream(script)
    const to = pool(server.origin, { maxConnections: 1 })
    const first = send(to)
    const second = send(to, get('/second'))
    await have(1)
    asked[0]?.peer.socket.resetAndDestroy()
    await first.response.over()
    expect(first.response.error?.code).toBe('GATEWAY_UPSTREAM_CLOSED')
    await have(2)
    asked[1]?.peer.send(ok('x'))
    await second.response.over()
    expect(second.response.body).toBe('x')
    expect(second.stream.reused).toBe(false)
  })
})

describe('abort', () => {
  test('while queued', async () => {
    const { script, asked, have } = holding()
    const server = await upstream(script)
    const to = pool(server.origin, { maxConnections: 1 })
    const first = send(to)
    const second = send(to, get('/2'))
    const third = send(to, get('/3'))
    second.stream.abort()
    second.stream.abort()
    expect(to.stats.queued).toBe(2)
    await have(1)
    asked[0]?.peer.send(ok(''))
    await have(2)
    expect(asked[1]?.head).toContain('GET /3 ')
    asked[1]?.peer.send(ok(''))
    await third.response.over()
    await first.response.over()
    expect(second.response.calls).toEqual([])
    expect(second.stream.sendData(Buffer.from('x'))).toBe(true)
  })

  test('while connecting: the connection is there for the next', async () => {
    const server = await upstream(forever)
    const to = pool(server.origin)
    const first = send(to)
    first.stream.abort()
    const second = send(to)
    expect(to.stats).toMatchObject({ connecting: 1, queued: 1 })
    await second.response.over()
    expect(first.response.calls).toEqual([])
    expect(server.peers.length).toBe(1)
  })

  test('while sending and while receiving: the connection is closed', async () => {
    const server = await upstream(async (peer, number) => {
      await peer.head()
      if (number === 2) peer.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
      await peer.gone()
    })
    const to = pool(server.origin)
    const sending = send(to, post(1_000))
    sending.stream.sendData(Buffer.from('some'))
    await sending.response.heard('connected')
    sending.stream.abort()
    await expect.poll(() => server.peers[0]?.closed ?? false).toBe(true)
    const receiving = send(to)
    await receiving.response.heard('data')
    receiving.stream.abort()
    receiving.stream.resumeBody()
    expect(to.stats.open).toBe(0)
    await server.peers[1]?.gone()
    expect(receiving.response.calls).toEqual(['connected', 'head', 'data'])
  })

  test.each(['connected', 'informational', 'head', 'data', 'end'])('within %s', async call => {
    const response = `HTTP/1.1 103 Early Hints\r\n\r\n${ok('hello')}`
    const server = await upstream(async peer => {
      await peer.answer(response)
      await peer.gone()
    })
    const to = pool(server.origin)
    const { stream, response: heard } = send(to)
    heard.on = name => {
      if (name === call) stream.abort()
    }
    await heard.heard(call)
    expect(heard.calls.at(-1)).toBe(call)
    expect(to.stats.open).toBe(call === 'end' ? 1 : 0)
  })
})

describe('what comes before the connection', () => {
  test('is kept, in order, and asks its source to wait', async () => {
    const server = await upstream(async peer => {
      const head = await peer.head()
      const body = await peer.until('0\r\nA: b\r\n\r\n')
      peer.send(ok(head + body))
    })
    const to = pool(server.origin)
    const { stream, response } = send(to, post(-1))
    expect(stream.sendData(Buffer.from('one'))).toBe(false)
    expect(stream.sendData(Buffer.from('two'))).toBe(false)
    response.on = call => {
      if (call === 'connected') stream.sendData(Buffer.from('three'))
      if (call === 'drain') stream.sendEnd(Fields.from(['A', 'b']))
    }
    await response.over()
    expect(response.calls).toEqual(['connected', 'drain', 'head', 'data', 'end'])
    expect(response.body).toMatch(/3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\nA: b\r\n\r\n$/)
  })

  test('a whole body needs no drain', async () => {
    const server = await upstream(async peer => {
      await peer.until('\r\n\r\nbody')
      peer.send(ok('x'))
    })
    const to = pool(server.origin)
    const { stream, response } = send(to, post(4))
    stream.sendData(Buffer.from('body'))
    stream.sendEnd(undefined)
    await response.over()
    expect(response.calls).toEqual(['connected', 'head', 'data', 'end'])
    expect(to.stats.idle).toBe(1)
  })
})

describe('closing', () => {
  test('idle ones now, busy ones after their exchange, waiting requests are served', async () => {
    const { script, asked, have } = holding()
    const server = await upstream(script)
    const to = pool(server.origin, { maxConnections: 2 })
    const sent = ['/1', '/2', '/3'].map(target => send(to, get(target)))
    await have(2)
    let closed = false
    const closing = to.close().then(() => {
      closed = true
    })
    for (let served = 0; served < 3; served++) {
      await have(served + 1)
      expect(closed).toBe(false)
      asked[served]?.peer.send(ok('x'))
    }
    for (const { response } of sent) expect((await response.over()).body).toBe('x')
    await closing
    expect(to.stats).toEqual({ open: 0, idle: 0, busy: 0, connecting: 0, queued: 0 })
  })

  test('a late request is served on a connection of its own', async () => {
    const server = await upstream(forever)
    const to = pool(server.origin)
    await send(to).response.over()
    await to.close()
    await server.peers[0]?.gone()
    const { response } = send(to)
    await response.over()
    expect(response.body).toBe('hello')
    expect(to.stats.open).toBe(0)
  })

  test('does not wait for connections that nobody needs', async () => {
    const to = pool('http://example.test', { lookup: () => {} })
    const { stream } = send(to)
    const closing = to.close()
    stream.abort()
    await closing
    expect(to.stats.connecting).toBe(0)
  })

  test('destroy() fails what is under way and refuses what comes', async () => {
    const { script, have } = holding()
    const server = await upstream(script)
    const to = pool(server.origin, { maxConnections: 1 })
    const sent = [send(to), send(to)]
    await have(1)
    to.destroy()
    sent.push(send(to))
    for (const { response } of sent) {
      await response.over()
      expect(response.error?.code).toBe('GATEWAY_SHUTTING_DOWN')
    }
  })
})

test('a request that would break out of its line is refused before anything begins', () => {
  const to = pool('http://127.0.0.1:1')
  for (const bad of [get('/a b'), get('/\r\nX: y'), get(''), get('/', { method: 'GE T' }), get('/é')]) {
    expect(() => send(to, bad)).toThrow(TypeError)
  }
  expect(() => send(to, get('/', { upgrade: 'a\r\nb' }))).toThrow(TypeError)
  expect(to.stats).toMatchObject({ connecting: 0, queued: 0 })
})
