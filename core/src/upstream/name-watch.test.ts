import type { LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { describe, expect, test } from 'vitest'
import { pool as http2Pool, send as http2Send, upstream as http2Upstream } from '../http2/client.fixture.ts'
import { NameWatch } from './name-watch.ts'
import { ok, pool, type Script, send, upstream } from './pool.fixture.ts'

/** A name server whose answers the test gives; undefined fails. */
function nameServer(first: readonly string[], when: (answer: () => void) => void = answer => answer()) {
  const server = {
    answer: first as readonly string[] | undefined,
    asked: 0,
    lookup: ((_host, _options, done) => {
      server.asked++
      const { answer } = server
      if (answer === undefined) when(() => done(Object.assign(new Error('no answer'), { code: 'EAI_AGAIN' }), ''))
      else when(() => done(null, addresses(answer)))
    }) satisfies LookupFunction,
  }
  return server
}

const addresses = (list: readonly string[]): LookupAddress[] =>
  list.map(address => ({ address, family: address.includes(':') ? 6 : 4 }))

const answering: Script = async peer => {
  for (;;) await peer.answer(ok(peer.socket.localAddress ?? ''))
}

/** An upstream on all of 127.0.0.0/8 behind a name. */
async function named(first: readonly string[], lookupInterval = 15_000, when?: (answer: () => void) => void) {
  const server = await upstream(answering, { host: '0.0.0.0' })
  const names = nameServer(first, when)
  const { port } = new URL(server.origin)
  const to = pool(`http://upstream.test:${port}`, { lookup: names.lookup, lookupInterval })
  return { names, to, ask: async () => (await send(to).response.over()).body }
}

describe('a name', () => {
  test('is looked up for each connection: its addresses take turns, and a new answer holds at once', async () => {
    const { names, to } = await named(['127.0.0.1', '127.0.0.2', '127.0.0.3'])
    const all = async (count: number) =>
      Promise.all(Array.from({ length: count }, () => send(to)).map(async sent => (await sent.response.over()).body))
    expect((await all(6)).sort()).toEqual(['1', '1', '2', '2', '3', '3'].map(end => `127.0.0.${end}`))
    names.answer = ['127.0.0.4']
    expect(new Set(await all(8))).toEqual(new Set(['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4']))
    expect(names.asked).toBe(8)
  })

  test.each([
    ['idle', undefined],
    ['busy', (answer: () => void) => void process.nextTick(answer)],
  ])('that has lost an address loses the connections to it, also those that are %s then', async (_, when) => {
    const { names, to, ask } = await named(['127.0.0.1'], 1, when)
    expect(await ask()).toBe('127.0.0.1')
    const askUntilChecked = async (checks: number) => {
      const before = names.asked
      let body = ''
      while (names.asked < before + checks) body = await ask()
      return body
    }
    names.answer = undefined
    expect(await askUntilChecked(3)).toBe('127.0.0.1')
    names.answer = ['127.0.0.2']
    // One answer that lacks it is not enough, two are.
    expect(await askUntilChecked(1)).toBe('127.0.0.1')
    expect(await askUntilChecked(1)).toBe(when === undefined ? '127.0.0.2' : '127.0.0.1')
    expect(await ask()).toBe('127.0.0.2')
    expect(to.stats.open).toBe(1)
  })

  test('is looked up no more often than it should, and only with traffic', async () => {
    const { names, ask } = await named(['127.0.0.1'])
    for (let n = 0; n < 20; n++) await ask()
    expect(names.asked).toBe(1)
  })

  test('moves HTTP/2 sessions as well', async () => {
    await using one = await http2Upstream(stream => {
      stream.respond()
      stream.end('one')
    })
    const names = nameServer(['127.0.0.1'])
    await using to = http2Pool(one.origin.replace('127.0.0.1', 'upstream.test'), {
      lookup: names.lookup,
      lookupInterval: 1,
    })
    const ask = async () => {
      const got = http2Send(to)
      await got.over
      return got.error?.code ?? got.body
    }
    expect(await ask()).toBe('one')
    names.answer = ['127.0.0.2']
    // Nobody listens there: the session to the address that went is used no more.
    await expect.poll(ask, { interval: 5 }).toBe('GATEWAY_UPSTREAM_CONNECT')
  })
})

test('addresses of the preferred family stay in front', () => {
  const names = nameServer(['::1', '127.0.0.1', '::2', '127.0.0.2'])
  const watch = new NameWatch('upstream.test', names.lookup, 0)
  const seen = [1, 2, 3].map(() => {
    let got: unknown
    watch.lookup('upstream.test', { all: true }, (_, answer) => {
      got = typeof answer === 'string' ? answer : answer.map(({ address }) => address).join(' ')
    })
    return got
  })
  expect(seen).toEqual(['::1 ::2 127.0.0.1 127.0.0.2', '::2 ::1 127.0.0.2 127.0.0.1', '::1 ::2 127.0.0.1 127.0.0.2'])
})
