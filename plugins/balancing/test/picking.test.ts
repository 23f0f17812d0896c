import { type Balancer, GatewayError, type Target } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import type { FakeTarget } from '../../../test/support/fake-target.ts'
import { seeded } from '../../../test/support/seeded.ts'
import { type Latencies, peakEwma } from '../src/ewma.ts'
import { leastRequests } from '../src/least-requests.ts'
import { weightedRandom } from '../src/random.ts'
import { chiSquare, noContext, tally, targetsOf } from './support.ts'

const picks = (balancer: Balancer, targets: readonly Target[], count: number) =>
  Array.from({ length: count }, () => balancer.pick(targets, noContext))

const makers: [string, () => Balancer][] = [
  ['random', () => weightedRandom(seeded(1))],
  ['leastRequests', () => leastRequests(2, seeded(1))],
  ['ewma', () => peakEwma({ decay: 10_000, failure: 5_000 }, new Map(), seeded(1), () => 0)],
]

describe.each(makers)('%s', (_, make) => {
  test('idle targets get their shares', () => {
    for (const targets of [targetsOf(100), targetsOf(100, i => 1 + (i % 7)), targetsOf(2, i => 1 + 9 * i)]) {
      const counts = tally(picks(make(), targets, 100_000), targets)
      expect(
        chiSquare(
          counts,
          targets.map(({ weight }) => weight),
        ),
      ).toBeLessThan(targets.length > 2 ? 1.5 : 10)
    }
  })

  test('of one, and of 10,000', () => {
    const [one, many] = [targetsOf(1), targetsOf(10_000)]
    expect(new Set(picks(make(), one, 5))).toEqual(new Set(one))
    expect(new Set(picks(make(), many, 20_000)).size).toBeGreaterThan(8_000)
  })

  test('other targets are learned at once', () => {
    const balancer = make()
    const [before, after] = [targetsOf(20), targetsOf(2)]
    picks(balancer, before, 10)
    expect(after).toEqual(expect.arrayContaining(picks(balancer, after, 50)))
  })
})

/** Sends `count` requests that do not end; the most that a target got. */
function fill(balancer: Balancer, targets: readonly FakeTarget[], count: number): number {
  for (let i = 0; i < count; i++) {
    const choice = balancer.pick(targets, noContext)
    const picked = targets.find(target => target === choice)
    if (picked !== undefined) picked.inFlight++
  }
  return Math.max(...targets.map(({ inFlight }) => inFlight))
}

describe('leastRequests', () => {
  test('two choices: the fullest target has a few more than the mean, where random has many', () => {
    // n balls, n bins (Azar et al.): ln ln n / ln 2 + O(1), some 3, against ln n / ln ln n, some 6 to 8.
    expect(fill(leastRequests(2, seeded(5)), targetsOf(1_000), 1_000)).toBeLessThanOrEqual(4)
    expect(fill(weightedRandom(seeded(5)), targetsOf(1_000), 1_000)).toBeGreaterThanOrEqual(5)
    // The gap does not grow with the load.
    expect(fill(leastRequests(2, seeded(5)), targetsOf(100), 10_000)).toBeLessThanOrEqual(104)
    expect(fill(leastRequests(4, seeded(5)), targetsOf(100), 10_000)).toBeLessThanOrEqual(102)
  })

  test('requests in flight go by weight', () => {
    const targets = targetsOf(4, i => i + 1)
    fill(leastRequests(2, seeded(5)), targets, 1_000)
    for (const { inFlight, weight } of targets) expect(Math.abs(inFlight - 100 * weight)).toBeLessThan(8)
  })

  test('a target that hangs gets no more', () => {
    const targets = targetsOf(10)
    const [stuck = expect.fail()] = targets
    stuck.inFlight = 50
    expect(picks(leastRequests(2, seeded(5)), targets, 1_000)).not.toContain(stuck)
  })
})

describe('ewma', () => {
  const upstreamError = new GatewayError('GATEWAY_UPSTREAM_CONNECT', 'refused')

  function start(count: number) {
    const clock = { ms: 0 }
    const latencies: Latencies = new Map()
    const targets = targetsOf(count)
    const balancer = peakEwma({ decay: 10_000, failure: 5_000 }, latencies, seeded(9), () => clock.ms)
    const answer = (target: Target, headersMs: number) => balancer.observe?.(target, { status: 200, headersMs })
    const share = (target: Target) => picks(balancer, targets, 1_000).filter(picked => picked === target).length / 1_000
    return { clock, latencies, targets, balancer, answer, share }
  }

  test('a slow answer counts at once, and wears off', () => {
    const { clock, targets, answer, share } = start(4)
    const [slow = expect.fail()] = targets
    for (const target of targets) answer(target, 10)
    answer(slow, 500)
    expect(share(slow)).toBe(0)
    // The others answer meanwhile; at e⁻⁴ of 500 it stands at 9.
    for (let second = 0; second < 40; second++) {
      clock.ms += 1_000
      for (const target of targets) if (target !== slow) answer(target, 10)
    }
    expect(share(slow)).toBeGreaterThan(0.4)
  })

  test('latency weighs against requests in flight', () => {
    const { targets, answer, share } = start(2)
    const [near = expect.fail(), far = expect.fail()] = targets
    answer(near, 10)
    answer(far, 40)
    near.inFlight = 2
    expect(share(near)).toBe(1)
    near.inFlight = 5
    expect(share(near)).toBe(0)
  })

  test('one of which nothing is known is tried, with one request', () => {
    const { targets, answer, share } = start(2)
    const [known = expect.fail(), fresh = expect.fail()] = targets
    answer(known, 10)
    expect(share(fresh)).toBe(1)
    fresh.inFlight = 1
    expect(share(fresh)).toBe(0)
  })

  test('failing fast does not look like answering fast; what clients break does not count', () => {
    const { targets, balancer, answer, share } = start(2)
    const [good = expect.fail(), broken = expect.fail()] = targets
    answer(good, 100)
    answer(broken, 1)
    balancer.observe?.(good, { error: new GatewayError('GATEWAY_BODY_TOO_LARGE', 'too large') })
    balancer.observe?.(broken, { error: upstreamError })
    expect(share(good)).toBe(1)
  })

  test('forgets what is gone', () => {
    const { targets, balancer, answer, latencies } = start(3)
    for (const target of targets) answer(target, 10)
    balancer.pick(targets.slice(1), noContext)
    expect([...latencies.keys()]).toEqual(targets.slice(1).map(({ url }) => url))
  })
})
