import type { Context, Target } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import { type FakeTarget, fakeTarget } from '../../../test/support/fake-target.ts'
import { seeded } from '../../../test/support/seeded.ts'
import { hash32 } from '../src/hash.ts'
import { compileHashKey } from '../src/hash-key.ts'
import { hashing, type MakeTable } from '../src/hash-table.ts'
import { createMaglev } from '../src/maglev.ts'
import { createRing } from '../src/ring.ts'
import { chiSquare, noContext, tally, targetsOf } from './support.ts'

const keys = Array.from({ length: 20_000 }, (_, i) => hash32(`user-${i}`))
const ring: MakeTable = targets => createRing(targets, { replicas: 150, bound: undefined })
const maglev: MakeTable = targets => createMaglev(targets, 65_537)
const spread = (make: MakeTable, targets: readonly Target[]) => tally(keys.map(make(targets)), targets)
const hundred = targetsOf(100)

test('hashes of texts that are alike are spread evenly', () => {
  const counts = new Array<number>(100).fill(0)
  for (const key of keys)
    counts[Math.floor((key / 2 ** 32) * 100)] = (counts[Math.floor((key / 2 ** 32) * 100)] ?? 0) + 1
  expect(chiSquare(counts, new Array<number>(100).fill(1))).toBeLessThan(1.5)
})

describe.each<[string, MakeTable, number]>([
  ['ring', ring, 0.1],
  ['maglev', maglev, 0.01],
])('%s', (name, make, deviation) => {
  test('shares deviate as the theory says', () => {
    // The whole of the table rather than a sample of keys, whose own spread would hide the table's.
    const table = make(hundred)
    const even = Array.from({ length: 400_000 }, (_, i) =>
      table(name === 'ring' ? Math.floor((i / 400_000) * 2 ** 32) : i),
    )
    const counts = tally(even, hundred)
    const mean = 4_000
    const measured = Math.sqrt(counts.reduce((sum, count) => sum + (count / mean - 1) ** 2, 0) / 100)
    // 1/√150 is 0.082; a maglev table of 65,537 places is even to the place.
    expect(measured).toBeLessThan(deviation)
  })

  test('weights are kept', () => {
    const targets = targetsOf(4, i => i + 1)
    const shares = spread(make, targets).map(count => count / keys.length)
    for (const [i, share] of shares.entries()) expect(share).toBeCloseTo((i + 1) / 10, 1)
  })

  test('one of 100 leaves: its keys move, about 1 % of all, and few others', () => {
    const left = hundred.toSpliced(41, 1)
    const [before, after] = [make(hundred), make(left)]
    const moved = keys.filter(key => before(key) !== after(key))
    const others = moved.filter(key => before(key) !== hundred[41]).length / keys.length
    expect(moved.length / keys.length - others).toBeGreaterThan(0.006)
    expect(moved.length / keys.length - others).toBeLessThan(0.014)
    // A ring moves none of them; of maglev, its paper shows less than 1 % at this size of the table.
    expect(others).toBeLessThanOrEqual(name === 'ring' ? 0 : 0.01)
  })

  test('one joins 100: it takes about 1 %, from everybody', () => {
    const joined = [...hundred, fakeTarget('http://10.9.9.9:8080')]
    const [before, after] = [make(hundred), make(joined)]
    const moved = keys.filter(key => before(key) !== after(key))
    const taken = moved.filter(key => after(key) === joined[100])
    expect(taken.length / keys.length).toBeGreaterThan(0.006)
    expect(taken.length / keys.length).toBeLessThan(0.014)
    expect((moved.length - taken.length) / keys.length).toBeLessThanOrEqual(name === 'ring' ? 0 : 0.01)
    expect(new Set(taken.map(before)).size).toBeGreaterThan(50)
  })

  test('the order of the list decides on nothing', () => {
    const [table, reversed] = [make(hundred), make(hundred.toReversed())]
    expect(keys.filter(key => table(key) !== reversed(key))).toEqual([])
  })

  test('of none, one, 10,000', () => {
    expect(make([])(7)).toBeUndefined()
    expect(tally(keys.map(make(hundred.slice(0, 1))), hundred.slice(0, 1))).toEqual([keys.length])
    const many = targetsOf(10_000)
    expect(new Set(keys.map(make(many))).size).toBeGreaterThan(8_000)
  })

  test('weights far apart, and far from 1', () => {
    const targets = [fakeTarget('http://a', { weight: 100_000 }), fakeTarget('http://b', { weight: 0.001 })]
    const [most = 0, least = 0] = spread(make, targets)
    expect(most).toBeGreaterThan(0.99 * keys.length)
    expect(least).toBeLessThan(0.01 * keys.length)
  })
})

describe('bounded loads', () => {
  test('no target goes beyond its share, and a key stays where it may', () => {
    const targets = targetsOf(20)
    const bounded = createRing(targets, { replicas: 150, bound: 1.25 })
    const free = ring(targets)
    const random = seeded(7)
    let atHome = 0
    for (let sent = 1; sent <= 2_000; sent++) {
      // Half of all requests are for ten keys.
      const key = hash32(random() < 0.5 ? `hot-${Math.floor(random() * 10)}` : `cold-${Math.floor(random() * 1e6)}`)
      const choice = bounded(key)
      const target = targets.find(one => one === choice) ?? expect.fail()
      target.inFlight++
      expect(target.inFlight).toBeLessThanOrEqual(Math.ceil((1.25 * sent) / 20))
      if (target === free(key)) atHome++
    }
    expect(atHome).toBeGreaterThan(800)
  })

  test('nor while requests end, but for those that ended since they were counted', () => {
    const targets = targetsOf(20)
    const bounded = createRing(targets, { replicas: 150, bound: 1.25 })
    const random = seeded(8)
    const inFlight: FakeTarget[] = []
    for (let sent = 1; sent <= 4_000; sent++) {
      // About 400 at a time.
      for (let ending = inFlight.length > 400 ? 3 : 0; ending > 0; ending--) {
        const [ended] = inFlight.splice(Math.floor(random() * inFlight.length), 1)
        if (ended !== undefined) ended.inFlight--
      }
      const choice = bounded(hash32(`hot-${Math.floor(random() * 3)}`))
      const target = targets.find(one => one === choice) ?? expect.fail()
      // Counted at one pick of three for 20 targets, so that six may have ended since.
      expect(target.inFlight).toBeLessThan(Math.ceil((1.25 * (inFlight.length + 1 + 6)) / 20))
      target.inFlight++
      inFlight.push(target)
    }
  })

  test('nothing in flight: as without', () => {
    const targets = targetsOf(20)
    const [bounded, free] = [createRing(targets, { replicas: 150, bound: 1.25 }), ring(targets)]
    expect(keys.filter(key => bounded(key) !== free(key))).toEqual([])
  })
})

describe('the key', () => {
  const given = {
    client: { address: '192.0.2.1' },
    path: '/a',
    query: '',
    headers: new Headers(),
    get: () => undefined,
  }
  // What the keys are found in.
  const request = (more: object) => ({ ...given, ...more }) as object as Context

  test.each<[string, Parameters<typeof compileHashKey>[0], object, string | undefined]>([
    ['address', ['ip'], {}, '192.0.2.1'],
    ['path', ['path'], {}, '/a'],
    ['field', [{ header: 'X-Session-Id' }], { headers: new Headers({ 'x-session-id': 's' }) }, 's'],
    ['cookie', [{ cookie: 'sid' }], { headers: new Headers({ cookie: 'a=1; sid=2' }) }, '2'],
    ['parameter', [{ query: 'sid' }], { query: 'a=1&sid=%41' }, 'A'],
    ['user', ['user'], { get: () => ({ method: 'jwt', id: 'u7' }) }, 'jwt u7'],
    ['nobody', ['user'], {}, undefined],
    ['the first that is there', [{ header: 'x-none' }, { cookie: 'none' }, 'ip'], {}, '192.0.2.1'],
  ])('%s', (_, by, more, key) => {
    expect(compileHashKey(by)(request(more))).toBe(key)
  })

  test('a request without one goes anywhere', () => {
    const targets = targetsOf(10)
    const balancer = hashing(maglev, () => undefined, seeded(3))
    const counts = tally(
      Array.from({ length: 10_000 }, () => balancer.pick(targets, noContext)),
      targets,
    )
    expect(chiSquare(counts, new Array<number>(10).fill(1))).toBeLessThan(3)
  })

  test('one with a key goes to one target, until the list changes', () => {
    const targets = targetsOf(10)
    const balancer = hashing(ring, () => 'key', seeded(3))
    const [first] = new Set(Array.from({ length: 50 }, () => balancer.pick(targets, noContext)))
    expect(new Set(Array.from({ length: 50 }, () => balancer.pick(targets, noContext))).size).toBe(1)
    const left = targets.filter(target => target !== first)
    expect(left).toContain(balancer.pick(left, noContext))
  })
})
