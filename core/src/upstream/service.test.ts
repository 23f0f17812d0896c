import { expect, test } from 'vitest'
import type { Context } from '../contract/context.ts'
import type { Balancer } from '../contract/host.ts'
import { Pool } from './pool.ts'
import { roundRobin } from './round-robin.ts'
import { Service } from './service.ts'
import { UpstreamTarget } from './target.ts'

// The balancers here ask nothing of a request.
const ctx = {} as Context

const target = (name: string) => {
  const url = `http://${name}.test`
  return new UpstreamTarget({ url }, new Pool(url))
}
const [a, b, c] = [target('a'), target('b'), target('c')]
const service = (balancer: Balancer) =>
  new Service('shop', [a, b, c], { balancer, connector: undefined, preserveHost: false })

test.each([
  ['http://a.test', 'a.test'],
  ['http://a.test:80', 'a.test'],
  ['http://a.test:8080', 'a.test:8080'],
  ['https://a.test:443', 'a.test'],
  ['http://[::1]:8080', '[::1]:8080'],
  ['unix:/run/app.sock', 'localhost'],
])('the Host of %s is %s', (url, authority) => {
  expect(new UpstreamTarget({ url }, new Pool(url)).authority).toBe(authority)
})

test('the balancer picks', () => {
  const shop = service(roundRobin())
  expect([1, 2, 3, 4].map(() => shop.pick(ctx)?.url)).toEqual([a, b, c, a].map(each => each.url))
})

test('what is to be avoided gives way to the next in the list', () => {
  const always = (pick: UpstreamTarget) => service({ pick: () => pick })
  expect(always(a).pick(ctx, [a])).toBe(b)
  expect(always(c).pick(ctx, [c])).toBe(a)
  expect(always(b).pick(ctx, [b, c])).toBe(a)
  expect(always(b).pick(ctx, [a])).toBe(b)
  expect(always(b).pick(ctx, [a, b, c])).toBe(b)
})

test('a balancer may know of none, and must name one of the targets', () => {
  expect(service({ pick: () => undefined }).pick(ctx)).toBeUndefined()
  expect(service({ pick: () => ({ ...a, available: true, weight: 1, inFlight: 0 }) }).pick(ctx)).toBeUndefined()
})
