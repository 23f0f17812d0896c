import { expect, test, vi } from 'vitest'
import type { ServiceHooks } from '../contract/hooks.ts'
import { Pool } from './pool.ts'
import { roundRobin } from './round-robin.ts'
import { Service } from './service.ts'
import { serviceInfo } from './service-info.ts'
import { TargetState, UpstreamTarget } from './target.ts'

const [a, b] = ['http://a.test', 'http://b.test']

function serviceOf(hooks: readonly ServiceHooks[] = []) {
  const changes = { count: 0 }
  const specs = [{ url: a }, { url: b, weight: 4, priority: 1, zone: 'z' }]
  const targets = specs.map(spec => new UpstreamTarget(spec, new Pool(spec.url), new TargetState(changes)))
  const options = { balancer: roundRobin(), connector: undefined, preserveHost: false, hooks, changes }
  const service = new Service('shop', targets, options)
  const stateOf = (place: number) => targets[place]?.state ?? expect.fail()
  return { service, stateOf }
}

test('targets, with what is out since when, whoever held it first', () => {
  vi.useFakeTimers({ now: 1_000 })
  try {
    const { service, stateOf } = serviceOf()
    const letGo = stateOf(0).hold({ reason: 'probe', until: undefined })
    stateOf(1).scale({}, 0.5)
    vi.setSystemTime(2_000)
    const letOtherGo = stateOf(0).hold({ reason: 'breaker', until: 9_000 })
    const well = { url: b, weight: 2, priority: 1, zone: 'z', inFlight: 0, inUse: true }
    const out = { url: a, weight: 1, priority: 0, inFlight: 0, inUse: false }
    expect(serviceInfo(service)).toEqual({
      name: 'shop',
      targets: [{ ...out, out: { since: 1_000, reasons: ['probe', 'breaker'] } }, well],
    })
    // As a reload does: the next generation holds before the last lets go.
    letGo()
    expect(serviceInfo(service).targets[0]).toEqual({
      ...out,
      out: { since: 1_000, until: 9_000, reasons: ['breaker'] },
    })
    letOtherGo()
    expect(serviceInfo(service).targets[0]).toEqual({ ...out, inUse: true })
    stateOf(0).hold({ reason: 'probe', until: undefined })
    expect(serviceInfo(service).targets[0]?.out?.since).toBe(2_000)
  } finally {
    vi.useRealTimers()
  }
})

test('what plugins leave the balancer is in use, out or not; a plugin that fails leaves nothing, and goes on failing', () => {
  const panic = serviceOf([{ narrow: (_, all) => all.slice(0, 1) }])
  panic.stateOf(0).hold({ reason: 'probe', until: undefined })
  expect(serviceInfo(panic.service).targets.map(({ inUse, out }) => [inUse, out !== undefined])).toEqual([
    [true, true],
    [false, false],
  ])
  const failing = serviceOf([
    {
      narrow() {
        throw new Error('broken')
      },
    },
  ])
  expect(serviceInfo(failing.service).targets.map(({ inUse }) => inUse)).toEqual([false, false])
  expect(() => failing.service.candidates).toThrow('broken')
})
