import { expect, test, vi } from 'vitest'
import type { Context } from '../contract/context.ts'
import type { ServiceHooks, Target } from '../contract/hooks.ts'
import type { TargetSpec } from '../contract/host.ts'
import { Pool } from './pool.ts'
import { roundRobin } from './round-robin.ts'
import { Service } from './service.ts'
import { createServiceView } from './service-view.ts'
import { toTargets } from './target.ts'

// The balancers here ask nothing of a request.
const ctx = {} as Context
const urls = ['http://a.test', 'http://b.test', 'http://c.test'] as const
const [a, b, c] = urls
const pools = new Map<string, Pool>()
const poolOf = (url: string) => pools.get(url) ?? pools.set(url, new Pool(url)).get(url) ?? new Pool(url)

function start(specs: readonly TargetSpec[] = urls.map(url => ({ url })), hooks: readonly ServiceHooks[] = []) {
  const changes = { count: 0 }
  const targets = toTargets(specs, [], changes, poolOf)
  const options = { balancer: roundRobin(), connector: undefined, preserveHost: false, hooks, changes }
  const service = new Service('shop', targets, options)
  const watch = () => {
    const cleanups: (() => void)[] = []
    const defer = (cleanup: () => void) => void cleanups.push(cleanup)
    const about = { name: 'shop', protocol: 'http1', options: undefined, targets: () => service.targets } as const
    return { view: createServiceView({ ...about, defer, problem: () => {} }), end: () => cleanups.map(run => run()) }
  }
  const at = (url: string): Target => service.targets.find(target => target.url === url) ?? expect.fail(url)
  const picks = (count: number) => Array.from({ length: count }, () => service.pick(ctx)?.url)
  return { service, changes, watch, at, picks }
}

test('a target is out for as long as anybody holds it', () => {
  const { watch, at, picks } = start()
  const [one, two] = [watch(), watch()]
  const letGo = [one.view.holdOut(at(b), 'probe'), two.view.holdOut(at(b), 'breaker')]
  expect([at(b).available, picks(4)]).toEqual([false, [a, c, a, c]])
  letGo[0]?.()
  // To let go twice is to do it once.
  letGo[0]?.()
  expect(at(b).available).toBe(false)
  letGo[1]?.()
  expect([at(b).available, picks(3)]).toEqual([true, [a, b, c]])
})

test('what a generation holds out or scales ends with it, and it can do so no more', () => {
  const { watch, at, picks } = start()
  const [old, other] = [watch(), watch()]
  old.view.holdOut(at(a), 'probe')
  other.view.scaleWeight(at(c), 0.5)
  old.view.scaleWeight(at(c), 0.25)
  expect([at(a).available, at(c).weight]).toEqual([false, 0.25])
  old.end()
  expect([at(a).available, at(c).weight]).toEqual([true, 0.5])
  old.view.holdOut(at(a), 'probe')
  old.view.scaleWeight(at(c), 0.1)
  expect([at(a).available, at(c).weight]).toEqual([true, 0.5])
  expect(picks(5).sort()).toEqual([a, a, b, b, c])
  expect(() => other.view.scaleWeight(at(c), 0)).toThrow(RangeError)
  expect(() => other.view.holdOut({ ...at(a) }, 'not one of them')).toThrow('is not one of the targets')
})

test('weight 0 gets nothing', () => {
  const { picks } = start([{ url: a, weight: 0 }, { url: b }])
  expect(picks(3)).toEqual([b, b, b])
  expect(start([{ url: a, weight: 0 }]).picks(1)).toEqual([undefined])
})

test('what can be chosen is the same list until something changes', () => {
  const { service, watch, at } = start()
  const before = service.candidates
  service.pick(ctx)
  expect(service.candidates).toBe(before)
  const letGo = watch().view.holdOut(at(a), 'probe')
  expect(service.candidates.map(({ url }) => url)).toEqual([b, c])
  letGo()
  expect(service.candidates).toHaveLength(3)
  service.targets = service.targets.slice(1)
  expect(service.candidates.map(({ url }) => url)).toEqual([b, c])
})

test('hooks narrow one after the other, and see all that there is', () => {
  const seen: number[][] = []
  const narrow: ServiceHooks['narrow'] = (targets, all) => {
    seen.push([targets.length, all.length])
    return targets.slice(1)
  }
  const { picks, watch, at } = start(undefined, [{ narrow }, { narrow }])
  expect(picks(2)).toEqual([c, c])
  watch().view.holdOut(at(c), 'probe')
  expect(picks(1)).toEqual([undefined])
  expect(seen).toEqual([
    [3, 3],
    [2, 3],
    [2, 3],
    [1, 3],
  ])
})

test('a preferred target goes before the choice, unless it is out, was in vain or is none', () => {
  let preferred: Target | undefined
  const { service, watch, at } = start(undefined, [{ prefer: () => preferred }])
  preferred = at(c)
  expect(service.pick(ctx)?.url).toBe(c)
  expect(service.pick(ctx, [service.targets[2] ?? expect.fail()])?.url).toBe(a)
  preferred = { ...at(c) }
  expect(service.pick(ctx)?.url).toBe(b)
  preferred = at(c)
  watch().view.holdOut(at(c), 'probe')
  expect(service.pick(ctx)?.url).toBe(a)
})

test('a refusal names who holds what out, and when the first is expected back', () => {
  vi.useFakeTimers({ now: 1_000_000 })
  try {
    const { service, watch, at } = start([{ url: a }, { url: b }])
    const { view } = watch()
    expect(service.refusal()).toMatchObject({ code: 'GATEWAY_NO_HEALTHY_TARGET', status: 503, headers: undefined })
    view.holdOut(at(a), 'probe')
    view.holdOut(at(b), 'ejected', 1_004_100)
    expect(service.refusal()).toMatchObject({
      message: `service "shop" has no target to send to: ${a} probe; ${b} ejected`,
      headers: { 'Retry-After': '5' },
    })
    view.holdOut(at(b), 'probe')
    expect(service.refusal().headers).toBeUndefined()
  } finally {
    vi.useRealTimers()
  }
})

test('a target that is edited hands its state on; one that stays is the same object', () => {
  const { service, changes, watch, at } = start()
  watch().view.holdOut(at(a), 'probe')
  watch().view.scaleWeight(at(b), 0.5)
  const now = toTargets([{ url: a, weight: 3 }, { url: b }, { url: c, zone: 'z' }], service.targets, changes, poolOf)
  expect(now.map(({ available, weight, zone }) => [available, weight, zone])).toEqual([
    [false, 3, undefined],
    [true, 0.5, undefined],
    [true, 1, 'z'],
  ])
  expect(now.map(target => service.targets.includes(target))).toEqual([false, true, false])
})
