import { GatewayError, type Host, type Outcome, type ServiceView, silentLog, type Target } from '@gateway/core'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { fakeTarget } from '../../../test/support/fake-target.ts'
import { watchOutliers } from '../src/outliers.ts'

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }))
afterEach(() => void vi.useRealTimers())

const defaults = {
  failures: 2,
  errorRate: undefined,
  latency: undefined,
  minRequests: 20,
  window: 10_000,
  maxEjected: 0.5,
}

function start(options: object = {}, urls: readonly string[] = ['a', 'b']) {
  const held = new Set<string>()
  const targets = urls.map(url => fakeTarget(url))
  const holdOut = ({ url }: Target) => {
    held.add(url)
    return () => void held.delete(url)
  }
  const view = { name: 'shop', targets, holdOut } as object as ServiceView<unknown>
  const shared = new Map<string, unknown>()
  const host = {
    log: silentLog,
    clock: {
      now: Date.now,
      every: (ms: number, task: () => void) => void setInterval(task, ms),
      after(ms: number, task: () => void) {
        const timer = setTimeout(task, ms)
        return () => clearTimeout(timer)
      },
    },
    draining: new AbortController().signal,
    defer: () => {},
    share: ({ name, create }: { name: string; create(): unknown }) => {
      if (!shared.has(name)) shared.set(name, create())
      return shared.get(name)
    },
  } as object as Host
  const watch = () => watchOutliers(host, view, { ...defaults, ejectFor: 1_000, maxEjectFor: 5_000, ...options })
  let hear = watch()
  const [a] = targets
  const say = (outcome: Outcome, at = a) => hear(at ?? expect.fail(), outcome)
  /** So many answers of each target, by its place, in so many milliseconds. */
  const answer = (times: readonly number[], count = 20) => {
    for (const [i, headersMs] of times.entries())
      for (let n = 0; n < count; n++) say({ status: 200, headersMs }, targets[i])
  }
  const fail = () => say({ status: 500, headersMs: 1 })
  return { targets, held, say, answer, fail, reload: () => (hear = watch()) }
}

/** How long it is out after being ejected. */
function ejectedFor({ held, fail }: ReturnType<typeof start>): number {
  const began = Date.now()
  fail()
  fail()
  expect([...held]).toEqual(['a'])
  while (held.size > 0) vi.advanceTimersByTime(100)
  return Date.now() - began
}

describe('ejection', () => {
  test('lasts twice as long each time, up to a limit, and is forgiven in time', () => {
    const given = start()
    expect([1, 2, 3, 4, 5].map(() => ejectedFor(given))).toEqual([1_000, 2_000, 4_000, 5_000, 5_000])
    vi.advanceTimersByTime(5_100)
    expect(ejectedFor(given)).toBe(1_000)
  })

  test('leaves alone the last that nobody keeps out', () => {
    const { targets, held, fail } = start()
    const [, b = expect.fail()] = targets
    Object.assign(b, { available: false })
    for (let i = 0; i < 10; i++) fail()
    expect(held.size).toBe(0)
    Object.assign(b, { available: true })
    fail()
    expect([...held]).toEqual(['a'])
  })

  test('what was sent before it does not lengthen it', () => {
    const given = start()
    given.fail()
    given.fail()
    for (let i = 0; i < 10; i++) given.fail()
    vi.advanceTimersByTime(1_000)
    expect(given.held.size).toBe(0)
    given.fail()
    expect(given.held.size).toBe(0)
  })

  test('counts go on over a reload', () => {
    const given = start()
    given.fail()
    given.reload()
    given.fail()
    expect(given.held.size).toBe(1)
  })

  test.each<[string, Outcome, number]>([
    ['no answer', { error: new GatewayError('GATEWAY_UPSTREAM_CONNECT', 'refused') }, 1],
    ["the client's fault", { error: new GatewayError('GATEWAY_BODY_TOO_LARGE', 'too large') }, 0],
    ["a plugin's fault", { error: new GatewayError('GATEWAY_PLUGIN_FAILED', 'boom') }, 0],
    ['503', { status: 503, headersMs: 1 }, 1],
    ['501', { status: 501, headersMs: 1 }, 0],
    ['499', { status: 499, headersMs: 1 }, 0],
  ])('%s', (_, outcome, ejected) => {
    const { held, say } = start()
    say(outcome)
    say(outcome)
    expect(held.size).toBe(ejected)
  })

  test('a rate is that of its window', () => {
    const { held, say, fail } = start({ failures: 1_000, errorRate: 0.5, minRequests: 4 })
    const ok = () => say({ status: 200, headersMs: 1 })
    ok()
    fail()
    fail()
    vi.advanceTimersByTime(10_000)
    ok()
    fail()
    fail()
    expect(held.size).toBe(0)
    fail()
    expect(held.size).toBe(1)
  })
})

describe('latency', () => {
  const latency = { factor: 3, percentile: 50, atLeast: 100 }
  const urls = ['a', 'b', 'c', 'd']

  test.each<[string, readonly number[], object, readonly string[]]>([
    ['one that is late', [400, 50, 60, 100], {}, ['a']],
    ['not late enough', [150, 60, 60, 60], {}, []],
    ['late, but not late for anybody', [90, 5, 5, 5], {}, []],
    ['all', [400, 400, 400, 400], {}, []],
    ['no more than may be out, the latest first', [400, 500, 40, 40, 40], { maxEjected: 0.3 }, ['b']],
    ['none to compare with', [400], {}, []],
  ])('%s', (_, times, options, ejected) => {
    const { held, answer } = start({ latency, ...options }, ['a', 'b', 'c', 'd', 'e'].slice(0, times.length))
    answer(times)
    vi.advanceTimersByTime(9_999)
    expect([...held]).toEqual([])
    vi.advanceTimersByTime(1)
    expect([...held]).toEqual(ejected)
  })

  test('too few answers tell nothing, and those of another window do not count', () => {
    const { held, answer } = start({ latency }, urls)
    for (let window = 0; window < 3; window++) {
      answer([400, 50, 50, 50], 19)
      vi.advanceTimersByTime(10_000)
    }
    expect(held.size).toBe(0)
  })

  test('the percentile finds what the median hides', () => {
    const mixed = (percentile: number) => {
      const { held, answer } = start({ latency: { ...latency, percentile } }, urls)
      answer([40, 40, 40, 40], 80)
      answer([900, 40, 40, 40], 20)
      vi.advanceTimersByTime(10_000)
      return [...held]
    }
    expect([mixed(50), mixed(90)]).toEqual([[], ['a']])
  })

  test.each([
    [1e9, 0.001],
    [Number.MAX_VALUE, 0],
  ])('any time has a place: %d among %d', (late, usual) => {
    const { held, answer } = start({ latency }, urls)
    answer([late, usual, usual, usual])
    vi.advanceTimersByTime(10_000)
    expect([...held]).toEqual(['a'])
  })
})
