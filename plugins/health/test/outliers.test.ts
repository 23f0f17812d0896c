import { GatewayError, type Host, type Outcome, type ServiceView, silentLog, type Target } from '@gateway/core'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { watchOutliers } from '../src/outliers.ts'

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }))
afterEach(() => void vi.useRealTimers())

const defaults = { failures: 2, errorRate: undefined, minRequests: 20, window: 10_000, maxEjected: 0.5 }

function start(options: object = {}) {
  const held = new Set<string>()
  const target = (url: string): Target => ({
    url,
    weight: 1,
    inFlight: 0,
    priority: 0,
    zone: undefined,
    metadata: {},
    available: true,
  })
  const targets = [target('a'), target('b')]
  const holdOut = ({ url }: Target) => {
    held.add(url)
    return () => void held.delete(url)
  }
  const view = { name: 'shop', targets, holdOut } as object as ServiceView<unknown>
  const shared = new Map<string, unknown>()
  const host = {
    log: silentLog,
    clock: { now: Date.now },
    defer: () => {},
    share: ({ name, create }: { name: string; create(): unknown }) => {
      if (!shared.has(name)) shared.set(name, create())
      return shared.get(name)
    },
  } as object as Host
  const watch = () => watchOutliers(host, view, { ...defaults, ejectFor: 1_000, maxEjectFor: 5_000, ...options })
  let hear = watch()
  const [a] = targets
  const say = (outcome: Outcome) => hear(a ?? expect.fail(), outcome)
  const fail = () => say({ status: 500, headersMs: 1 })
  return { held, say, fail, reload: () => (hear = watch()) }
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
