import { expect, test } from 'vitest'
import type { ServiceInfo, TargetInfo } from '../upstream/service-info.ts'
import { serviceLines } from './service-lines.ts'

const now = 1_000_000_000
const ago = (seconds: number) => now - seconds * 1_000
const [a, b] = ['http://10.0.0.1:80', 'http://10.0.0.2:80']

function target(url: string, more: Partial<TargetInfo> = {}): TargetInfo {
  return { url, weight: 1, priority: 0, inFlight: 0, inUse: more.out === undefined, ...more }
}

const lines = (...workers: (readonly TargetInfo[])[]) =>
  serviceLines(
    workers.map(targets => [{ name: 'shop', targets }]),
    now,
  )

test('a service whose targets are well takes one line', () => {
  expect(lines([target(a), target(b)])).toEqual(['shop: 2 targets'])
  expect(lines([target(a, { inFlight: 2 })], [target(a, { inFlight: 3 })])).toEqual(['shop: 1 target, 5 in flight'])
  expect(lines([target(a), target(b, { priority: 1, inUse: false })])).toEqual(['shop: 2 targets, 1 unused'])
})

test('a target that is out is named, with since when, until when and why', () => {
  const out = { since: ago(90), until: ago(-30), reasons: ['ejected', `down: ${b}: cannot connect`] }
  expect(lines([target(a), target(b, { weight: 3, priority: 1, inFlight: 2, out })])).toEqual([
    'shop: 2 targets, 1 out, 2 in flight',
    `  ${b}  out for 90s, back in 30s, weight 3, priority 1, 2 in flight: ejected; down: cannot connect`,
  ])
  expect(lines([target(a, { inUse: true, out: { since: ago(7_300), reasons: ['down'] } })])).toEqual([
    'shop: 1 target, 1 out',
    `  ${a}  out for 121m, gets requests all the same: down`,
  ])
})

test('workers that see a target otherwise are counted', () => {
  const out = { since: ago(5), until: ago(-9), reasons: ['ejected'] }
  const longer = { since: ago(8), reasons: ['ejected', 'its circuit is open'] }
  expect(lines([target(a, { out })], [target(a)], [target(a, { out: longer })], [target(a)])).toEqual([
    'shop: 1 target, 1 out, none to send to in 2 of 4 workers',
    `  ${a}  out for 8s in 2 of 4 workers: ejected; its circuit is open`,
  ])
  expect(lines([target(a, { out })], [target(a, { out })])).toEqual([
    'shop: 1 target, 1 out, none to send to',
    `  ${a}  out for 5s, back in 9s: ejected`,
  ])
  expect(lines([target(a, { weight: 0.5, out })], [target(a, { out })])[1]).toContain(', weight 0.5 or 1: ')
  // What discovery found has not come to all of them yet.
  expect(lines([target(a), target(b)], [target(a)])).toEqual(['shop: 2 targets'])
})

test('discovery, as each worker has it', () => {
  const service = (discovery: ServiceInfo['discovery'] & object) => [{ name: 'shop', targets: [target(a)], discovery }]
  const found = service({ use: 'docker', state: 'found', since: ago(60) })
  const stale = service({ use: 'docker', state: 'stale', since: ago(4), reason: 'refused' })
  const waiting = service({ use: 'docker', state: 'waiting', since: ago(1) })
  expect(serviceLines([found, found], now)).toEqual(['shop: 1 target of docker'])
  expect(serviceLines([stale, stale], now)).toEqual(['shop: 1 target of docker, stale for 4s: refused'])
  expect(serviceLines([found, stale, waiting], now)).toEqual([
    'shop: 1 target of docker, stale for 4s in 1 of 3 workers: refused, which has not said anything yet in 1 of 3 workers',
  ])
})
