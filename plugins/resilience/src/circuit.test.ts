import { describe, expect, test } from 'vitest'
import { Circuit } from './circuit.ts'
import { serviceSchema } from './circuit-breaker-options.ts'

type Given = Parameters<typeof serviceSchema.parse>[0]

/** A circuit with a clock of the test's own, and calls that take no time. */
function start(given: Given & object = {}) {
  const rules = serviceSchema.parse({ failures: false, errorRate: false, slowerThan: '1h', ...given })
  const circuit = new Circuit(rules.window)
  const clock = { now: 1_000_000 }
  function call(hasFailed = false, ms = 0) {
    circuit.expire(clock.now)
    if (circuit.blockedUntil(rules) !== undefined) return undefined
    const key = {}
    circuit.begin(key, clock.now, rules)
    clock.now += ms
    return circuit.record(key, hasFailed, ms, clock.now, rules) ?? 'no change'
  }
  /** Undefined when none is to be made. */
  const begin = () => {
    if (circuit.blockedUntil(rules) !== undefined) return undefined
    const key = {}
    circuit.begin(key, clock.now, rules)
    return key
  }
  /** How long it stays open, after a failure that opens it. */
  function openedFor() {
    const began = clock.now
    call(true)
    while (circuit.expire(clock.now) === undefined) clock.now += 10
    return clock.now - began
  }
  return { rules, circuit, clock, call, begin, openedFor, fail: () => call(true) }
}

describe('closed, it opens', () => {
  test('after so many failures in a row', () => {
    const { call, fail } = start({ failures: 3 })
    for (const hasFailed of [true, true, false, true, true]) expect(call(hasFailed)).toBe('no change')
    expect(fail()).toEqual({ to: 'open', reason: '3 failures in a row', ms: 5_000 })
    expect(call()).toBeUndefined()
  })

  test('when a part of at least so many calls failed', () => {
    const { call, fail } = start({ errorRate: 0.5, minRequests: 4 })
    for (const hasFailed of [true, true, false]) expect(call(hasFailed)).toBe('no change')
    expect(fail()).toMatchObject({ to: 'open', reason: '3 of 4 calls failed' })
  })

  test('not while the part is smaller', () => {
    const { call, fail } = start({ errorRate: 0.5, minRequests: 4 })
    for (let i = 0; i < 100; i++) for (const hasFailed of [false, true, false]) call(hasFailed)
    expect(fail()).toBe('no change')
  })

  test('when calls are slow, be they failures or not', () => {
    const { call } = start({ slowerThan: 100, slowRate: 0.5, minRequests: 4 })
    for (const ms of [10, 101, 100]) expect(call(false, ms)).toBe('no change')
    expect(call(false, 200)).toMatchObject({ to: 'open', reason: '2 of 4 calls were slow' })
  })

  test('by what happened in the window alone, which slides', () => {
    const { call, clock, fail } = start({ errorRate: 1, minRequests: 4, window: '10s' })
    fail()
    clock.now += 6_000
    for (let i = 0; i < 2; i++) fail()
    // The first has gone, the others have not.
    clock.now += 6_000
    expect(fail()).toBe('no change')
    expect(fail()).toMatchObject({ to: 'open' })
    const other = start({ errorRate: 1, minRequests: 2, window: '10s' })
    other.fail()
    other.clock.now += 1_000_000
    expect(other.fail()).toBe('no change')
    expect(call()).toBeUndefined()
  })
})

describe('open', () => {
  test('for longer each time that trials fail, up to a limit, and is forgiven in time', () => {
    const { openedFor, call, clock } = start({ failures: 1, openFor: 1_000, maxOpenFor: 5_000, closeAfter: 1 })
    expect([1, 2, 3, 4, 5].map(openedFor)).toEqual([1_000, 2_000, 4_000, 5_000, 5_000])
    expect(call()).toEqual({ to: 'closed' })
    clock.now += 5_000
    expect(openedFor()).toBe(5_000)
    expect(call()).toEqual({ to: 'closed' })
    clock.now += 5_010
    expect(openedFor()).toBe(1_000)
  })

  test('what was sent before shows nothing: neither while it is half-open nor once it is closed again', () => {
    const { rules, circuit, clock, call, fail, begin } = start({ failures: 1, closeAfter: 1 })
    const old = begin() ?? {}
    fail()
    clock.now += 5_000
    expect(circuit.expire(clock.now)).toEqual({ to: 'halfOpen' })
    expect(circuit.record(old, false, 5_000, clock.now, rules)).toBeUndefined()
    expect(call()).toEqual({ to: 'closed' })
    clock.now += 1_000
    expect(circuit.record(old, true, 6_001, clock.now, rules)).toBeUndefined()
    expect(circuit.record(old, true, 999, clock.now, rules)).toMatchObject({ to: 'open' })
  })

  test('a clock that is set back does not keep it open', () => {
    const { clock, call, fail } = start({ failures: 1, closeAfter: 1 })
    fail()
    clock.now -= 500_000
    expect(call()).toEqual({ to: 'closed' })
  })
})

describe('half-open', () => {
  function halfOpen(given: Given & object) {
    const started = start({ failures: 1, ...given })
    started.fail()
    started.clock.now += 5_000
    expect(started.circuit.expire(started.clock.now)).toEqual({ to: 'halfOpen' })
    return started
  }

  test('lets so many through at a time', () => {
    const { rules, circuit, begin, clock } = halfOpen({ trials: 2, closeAfter: 3 })
    const [one, two, three] = [begin(), begin(), begin()]
    expect([one, two, three]).toEqual([{}, {}, undefined])
    expect(circuit.blockedUntil(rules)).toBe(clock.now + 5_000)
    circuit.record(one ?? {}, false, 0, clock.now, rules)
    expect(circuit.blockedUntil(rules)).toBeUndefined()
    expect(begin()).toBeDefined()
  })

  test('closes after so many successes, and begins to count anew', () => {
    const { call, fail } = halfOpen({ failures: false, closeAfter: 2, errorRate: 0.5, minRequests: 1, window: '1h' })
    expect(call()).toBe('no change')
    expect(call()).toEqual({ to: 'closed' })
    expect([call(), call()]).toEqual(['no change', 'no change'])
    expect(fail()).toBe('no change')
    expect(fail()).toMatchObject({ reason: '2 of 4 calls failed' })
  })

  test('for however long, a failure makes it open for longer than before', () => {
    const { clock, fail } = halfOpen({})
    clock.now += 50_000
    expect(fail()).toMatchObject({ ms: 10_000 })
  })

  test('no more calls are trials than are let through', () => {
    const { rules, circuit, clock, begin } = halfOpen({})
    const trial = begin() ?? {}
    const other = {}
    circuit.begin(other, clock.now, rules)
    expect(circuit.record(other, true, 0, clock.now, rules)).toBeUndefined()
    expect([circuit.abandon(other), circuit.abandon(trial)]).toEqual([false, true])
  })

  test('a failure, or a slow call, opens it again', () => {
    const { fail } = halfOpen({})
    expect(fail()).toEqual({ to: 'open', reason: 'a trial failed', ms: 10_000 })
    const slow = halfOpen({ slowerThan: 100 })
    expect(slow.call(false, 101)).toMatchObject({ to: 'open', reason: 'a trial was slow' })
  })

  test('a trial that shows nothing frees its place, and one that is never heard of in time', () => {
    const { rules, circuit, begin, clock } = halfOpen({})
    circuit.abandon(begin() ?? {})
    const lost = begin() ?? {}
    expect(begin()).toBeUndefined()
    clock.now += 4_999
    circuit.expire(clock.now)
    expect(circuit.blockedUntil(rules)).toBeDefined()
    clock.now++
    circuit.expire(clock.now)
    expect(circuit.blockedUntil(rules)).toBeUndefined()
    expect(circuit.record(lost, true, 5_000, clock.now, rules)).toBeUndefined()
    expect(circuit.state).toBe('halfOpen')
  })
})
