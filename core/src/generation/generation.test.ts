import { afterEach, describe, expect, test, vi } from 'vitest'
import { normalise } from '../config/normalise.ts'
import type { Log } from '../contract/host.ts'
import type { Member } from '../exchange/route.ts'
import { Generation } from './generation.ts'
import { createHost } from './host.ts'
import { SharedStore } from './shared-store.ts'

afterEach(() => void vi.useRealTimers())

function make() {
  const lines: [string, string, object | undefined][] = []
  const write = (level: string) => (message: string, fields?: object) => void lines.push([level, message, fields])
  const log: Log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
  const { model } = normalise({ routes: {} })
  if (model === undefined) throw new Error('no model')
  const store = new SharedStore()
  const generation = new Generation(7, model, store, log)
  return { generation, store, lines, host: createHost(generation, 'tested') }
}

function member(id = 'x'): Member {
  return {
    id,
    route: 'all',
    client: { address: '::1' },
    startedAt: performance.now(),
    bytesIn: 1,
    bytesOut: 2,
    tunnel: undefined,
    older: undefined,
    newer: undefined,
  }
}

describe('clean-ups', () => {
  test('run newest first, one after the other', async () => {
    const { generation, host } = make()
    const ran: string[] = []
    host.defer(() => void ran.push('first'))
    host.defer(async () => {
      await new Promise(resolve => setImmediate(resolve))
      ran.push('second')
    })
    host.defer(() => void ran.push('third'))
    await generation.release()
    expect(ran).toEqual(['third', 'second', 'first'])
  })

  test('run once', async () => {
    const { generation, host } = make()
    let ran = 0
    host.defer(() => void ran++)
    await Promise.all([generation.release(), generation.retire(0), generation.release()])
    expect(ran).toBe(1)
  })

  test('that fail are logged with their plugin, and stop no other', async () => {
    const { generation, host, lines, store } = make()
    const ran: string[] = []
    host.defer(() => void ran.push('first'))
    host.defer(() => Promise.reject(new Error('later')))
    host.defer(() => {
      throw new Error('at once')
    })
    host.share({ name: 'x', create: () => 1, close: () => Promise.reject(new Error('shared')) })
    await generation.release()
    expect(ran).toEqual(['first'])
    expect(lines.map(([level, message, fields]) => [level, message, (fields as { err: Error }).err.message])).toEqual([
      ['error', 'plugin "tested" failed in a clean-up', 'at once'],
      ['error', 'plugin "tested" failed in a clean-up', 'later'],
      ['error', 'shared "x" failed to close', 'shared'],
    ])
    expect(store.names).toEqual([])
  })

  test('come before shared state is let go of', async () => {
    const { generation, host } = make()
    const ran: string[] = []
    host.share({ name: 'x', create: () => 1, close: () => void ran.push('shared') })
    host.defer(() => void ran.push('clean-up'))
    await generation.release()
    expect(ran).toEqual(['clean-up', 'shared'])
  })

  test('asked for too late run at once', async () => {
    const { generation, host } = make()
    await generation.release()
    await new Promise<void>(resolve => host.defer(resolve))
  })
})

describe('retiring', () => {
  test('an idle generation is let go at once', async () => {
    const { generation, host } = make()
    expect([generation.draining.aborted, generation.released]).toEqual([false, false])
    await generation.retire(60_000)
    expect([generation.draining.aborted, host.draining.aborted, generation.released]).toEqual([true, true, true])
  })

  test('a busy one says at once that it drains, and goes with its last exchange', async () => {
    const { generation, lines } = make()
    const [one, two] = [member(), member()]
    generation.enter(one)
    generation.enter(two)
    const retired = generation.retire(60_000)
    expect([generation.draining.aborted, generation.released, generation.inFlight]).toEqual([true, false, 2])
    generation.leave(one)
    expect(generation.released).toBe(false)
    generation.leave(two)
    await retired
    expect(generation.released).toBe(true)
    expect(lines).toEqual([])
  })

  test('or when its drain time is over, which is logged', async () => {
    vi.useFakeTimers()
    const { generation, lines } = make()
    const late = member()
    generation.enter(late)
    const retired = generation.retire(1_000)
    await vi.advanceTimersByTimeAsync(999)
    expect(generation.released).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    await retired
    expect(generation.released).toBe(true)
    expect(lines).toEqual([['warn', 'drain time over, letting the generation go', { generation: 7, inFlight: 1 }]])
    generation.leave(late)
  })

  test('several calls all resolve, and leave no timer', async () => {
    vi.useFakeTimers()
    const { generation } = make()
    const one = member()
    generation.enter(one)
    const all = [generation.retire(60_000), generation.retire(10_000), generation.retire(30_000)]
    generation.leave(one)
    await Promise.all(all)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('the least patient of several calls decides', async () => {
    vi.useFakeTimers()
    const { generation } = make()
    generation.enter(member())
    void generation.retire(60_000)
    const second = generation.retire(10)
    await vi.advanceTimersByTimeAsync(10)
    await second
    expect(generation.released).toBe(true)
  })

  test('the reason is one for all generations: the stack of one made at the time would hold the next', async () => {
    const [one, two] = [make(), make()]
    for (const { generation } of [one, two]) await generation.release()
    expect(one.host.draining.reason).toMatchObject({ name: 'AbortError' })
    expect(one.host.draining.reason).toBe(two.host.draining.reason)
  })

  test('one that never served drains too when it is let go', async () => {
    const { generation, host } = make()
    await generation.release()
    expect(host.draining.aborted).toBe(true)
  })
})

test('it tells who holds it, the longest-running first, whatever order they leave in', () => {
  const { generation } = make()
  const members = ['a', 'b', 'c', 'd', 'e'].map(member)
  const [a, b, c, d, e] = members as [Member, Member, Member, Member, Member]
  const held = (most = 10) => generation.holders(most).map(({ id }) => id)
  for (const each of members) generation.enter(each)
  expect([held(), held(2), generation.inFlight]).toEqual([['a', 'b', 'c', 'd', 'e'], ['a', 'b'], 5])
  expect(generation.holders(1)).toEqual([
    { id: 'a', kind: 'request', route: 'all', client: '::1', ageMs: expect.any(Number), bytesIn: 1, bytesOut: 2 },
  ])
  for (const [leaving, left] of [
    [c, ['a', 'b', 'd', 'e']],
    [a, ['b', 'd', 'e']],
    [e, ['b', 'd']],
  ] as const) {
    generation.leave(leaving)
    expect(held()).toEqual(left)
  }
  generation.enter(a)
  expect(held()).toEqual(['b', 'd', 'a'])
  for (const each of [b, d, a]) generation.leave(each)
  expect([held(), generation.inFlight]).toEqual([[], 0])
})

describe('the clock', () => {
  test('runs a task at its interval, never twice at a time, until the generation is let go', async () => {
    vi.useFakeTimers()
    const { generation, host } = make()
    let started = 0
    let open = Promise.withResolvers<void>()
    host.clock.every(100, () => {
      started++
      return open.promise
    })
    await vi.advanceTimersByTimeAsync(350)
    expect(started).toBe(1)
    open.resolve()
    await vi.advanceTimersByTimeAsync(0)
    open = Promise.withResolvers()
    await vi.advanceTimersByTimeAsync(100)
    expect(started).toBe(2)
    open.resolve()
    await generation.release()
    await vi.advanceTimersByTimeAsync(1_000)
    expect([started, vi.getTimerCount()]).toEqual([2, 0])
  })

  test('a task that fails is logged, and runs again', async () => {
    vi.useFakeTimers()
    const { generation, host, lines } = make()
    let run = 0
    host.clock.every(10, () => {
      if (++run === 1) throw new Error('at once')
      return Promise.reject(new Error('later'))
    })
    await vi.advanceTimersByTimeAsync(20)
    expect(lines.map(([level, message, fields]) => [level, message, fields])).toEqual([
      ['error', 'a periodic task failed', { plugin: 'tested', err: new Error('at once') }],
      ['error', 'a periodic task failed', { plugin: 'tested', err: new Error('later') }],
    ])
    await generation.release()
  })

  test('asked for too late it never ticks', async () => {
    vi.useFakeTimers()
    const { generation, host } = make()
    await generation.release()
    host.clock.every(1, () => {
      throw new Error('ticked')
    })
    expect(vi.getTimerCount()).toBe(0)
  })

  test('runs a task once, also when the generation has gone, unless it is called off', async () => {
    vi.useFakeTimers()
    const { generation, host, lines } = make()
    const ran: string[] = []
    host.clock.after(10, () => void ran.push('early'))
    host.clock.after(20, () => {
      throw new Error('boom')
    })
    host.clock.after(30, () => void ran.push('late'))
    host.clock.after(30, () => void ran.push('never'))()
    await vi.advanceTimersByTimeAsync(20)
    await generation.release()
    await vi.advanceTimersByTimeAsync(100)
    expect(ran).toEqual(['early', 'late'])
    expect(lines.map(([, message, fields]) => [message, fields])).toEqual([
      ['a task failed', { plugin: 'tested', err: new Error('boom') }],
    ])
  })

  test('tells the time', () => {
    vi.useFakeTimers({ now: 1234 })
    expect(make().host.clock.now()).toBe(1234)
  })
})

test('counts under every key or under none, for all who ask by the name', () => {
  const { host } = make()
  const counts = host.counts('places')
  const first = counts.enter([
    ['all', 0],
    ['a', 2],
    ['b', 1],
  ])
  expect(
    counts.enter([
      ['all', 0],
      ['a', 2],
      ['b', 1],
    ]),
  ).toBe(2)
  // What was refused took no place.
  expect(host.counts('places').enter([['a', 2]])).toBeTypeOf('function')
  expect(counts.enter([['a', 2]])).toBe(0)
  if (typeof first === 'function') first()
  expect(counts.enter([['b', 1]])).toBeTypeOf('function')
  expect([counts.count('a'), counts.count('b'), counts.count('c')]).toEqual([1, 1, 0])
  expect(host.counts('others').enter([['b', 1]])).toBeTypeOf('function')
})

test("a plugin's log lines carry its name", () => {
  const { host, lines } = make()
  host.log.info('hello', { a: 1 })
  host.log.debug('bare')
  host.log.warn('w')
  host.log.error('e')
  expect(lines).toEqual([
    ['info', 'hello', { plugin: 'tested', a: 1 }],
    ['debug', 'bare', { plugin: 'tested' }],
    ['warn', 'w', { plugin: 'tested' }],
    ['error', 'e', { plugin: 'tested' }],
  ])
})
