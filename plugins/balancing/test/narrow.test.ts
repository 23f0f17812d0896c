import type { ServiceView, Target } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import { type FakeTarget, fakeTarget } from '../../../test/support/fake-target.ts'
import { type NarrowOptions, narrowing } from '../src/narrow.ts'
import { type Warmth, warmUp } from '../src/slow-start.ts'
import { targetsOf } from './support.ts'

const defaults = { panicThreshold: 0, priorityThreshold: 0, zoneThreshold: 0.5 }

/** `a0` is target a of priority 0, `a0x` in zone x; one in brackets is out. What is chosen, by letters. */
function chosen(list: string, options: Partial<NarrowOptions> = {}): string {
  const all = list.split(' ').map(word => {
    const [, name = '', priority, zone] = /(\w)(\d)(\w?)/.exec(word) ?? []
    return fakeTarget(name, { priority: Number(priority), zone: zone || undefined, available: !word.startsWith('(') })
  })
  const available = all.filter(target => target.available)
  return narrowing({ ...defaults, ...options })(available, all)
    .map(({ url }) => url)
    .join('')
}

describe('what may be chosen', () => {
  test.each<[string, string, Partial<NarrowOptions>, string]>([
    ['all', 'a0 b0', {}, 'ab'],
    ['what is available', 'a0 (b0)', {}, 'a'],
    ['nothing', '(a0) (b0)', {}, ''],
    ['the first priority', 'c1 a0 b0 d2', {}, 'ab'],
    ['the first while one of it is left', 'a0 (b0) c1', {}, 'a'],
    ['the next when none is', '(a0) (b0) c1 d2', {}, 'c'],
    ['the one after it', '(a0) (c1) d7', {}, 'd'],
    ['below the threshold, two together', 'a0 (b0) (c0) d1 e2', { priorityThreshold: 0.5 }, 'ad'],
    ['at the threshold, one', 'a0 (b0) c1', { priorityThreshold: 0.5 }, 'a'],
    ['the zone of the gateway', 'a0x b0y c0', { zone: 'x' }, 'a'],
    ['all zones when nobody is in it', 'a0x b0y', { zone: 'z' }, 'ab'],
    ['all zones when half of it is not enough', 'a0x (b0x) (c0x) d0y', { zone: 'x' }, 'ad'],
    ['the zone while half of it is there', 'a0x (b0x) d0y', { zone: 'x' }, 'a'],
    ['the priority before the zone', 'a0y b1x', { zone: 'x' }, 'a'],
    ['in panic, all', '(a0) (b0) c0', { panicThreshold: 0.5 }, 'abc'],
    ['in panic, all of the first priority', '(a0) (b0) c1', { panicThreshold: 0.5 }, 'ab'],
    ['at the threshold, no panic', 'a0 (b0)', { panicThreshold: 0.5 }, 'a'],
  ])('%s', (_, list, options, expected) => {
    expect(chosen(list, options)).toBe(expected)
  })

  test('weight 0 counts for nothing', () => {
    const all = [fakeTarget('a', { weight: 0 }), fakeTarget('b', { priority: 1 })]
    expect(narrowing({ ...defaults, panicThreshold: 1 })(all.slice(1), all)).toEqual(all.slice(1))
  })
})

describe('slow start', () => {
  function start(first: readonly FakeTarget[]) {
    let targets = first
    const warmth: Warmth = new Map()
    const factors = new Map<string, number>()
    const refuse = () => expect.fail()
    const view: ServiceView<unknown> = {
      name: 'shop',
      protocol: 'http1',
      options: undefined,
      get targets() {
        return targets
      },
      holdOut: refuse,
      ask: refuse,
      connect: refuse,
      scaleWeight: (target: Target, factor) => void factors.set(target.url, factor),
      problem: refuse,
    }
    /** The factors at that time, of a window of 10 s. */
    return (ms: number, now: readonly FakeTarget[] = targets) => {
      targets = now
      warmUp(view, warmth, 10_000, 1_000_000 + ms)
      return targets.map(({ url }) => factors.get(url))
    }
  }

  test('the first targets are warm, one that joins gets its weight in a straight line', () => {
    const [a, b, c] = targetsOf(3) as [FakeTarget, FakeTarget, FakeTarget]
    const at = start([a, b])
    expect(at(0)).toEqual([1, 1])
    expect(at(1_000, [a, b, c])).toEqual([1, 1, 0.1])
    expect([2_500, 6_000, 10_900, 11_000, 99_000].map(ms => at(ms)[2])).toEqual([0.15, 0.5, 0.99, 1, 1])
  })

  test('one that was out starts over, also when that was in the middle', () => {
    const [a, b] = targetsOf(2) as [FakeTarget, FakeTarget]
    const at = start([a, b])
    at(0)
    b.available = false
    at(1_000)
    b.available = true
    expect([2_000, 7_000].map(ms => at(ms)[1])).toEqual([0.1, 0.5])
    b.available = false
    at(8_000)
    b.available = true
    expect([9_000, 14_000, 19_000].map(ms => at(ms)[1])).toEqual([0.1, 0.5, 1])
  })

  test('one that left and joins again is new', () => {
    const [a, b] = targetsOf(2) as [FakeTarget, FakeTarget]
    const at = start([a, b])
    at(0)
    at(1_000, [a])
    expect(at(2_000, [a, b])).toEqual([1, 0.1])
  })

  test('a clock that goes back harms nothing', () => {
    const [a, b] = targetsOf(2) as [FakeTarget, FakeTarget]
    const at = start([a])
    at(0)
    at(5_000, [a, b])
    expect(at(-60_000)).toEqual([1, 0.1])
  })
})
