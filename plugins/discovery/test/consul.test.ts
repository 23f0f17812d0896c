import type { ServerResponse } from 'node:http'
import { discovery } from '@gateway/discovery'
import { describe, expect, test, vi } from 'vitest'
import { createAuthority } from '../../../test/support/certificates.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { instance, startFakeConsul } from './fake-consul.ts'
import {
  ask,
  configOf,
  eventuallyFinds,
  eventuallyStale,
  found,
  messages,
  named,
  startWith,
  viewing,
} from './support.ts'

const [one, two] = [instance('10.0.0.1', 80), instance('10.0.0.2', 80)]
const [a, b] = ['http://10.0.0.1:80', 'http://10.0.0.2:80']

async function start(instances: unknown, more: object = {}) {
  const consul = await startFakeConsul()
  consul.instances = instances
  const discover = { use: 'consul', agents: [consul.origin], ...more }
  return { consul, discover, running: await startWith(discover) }
}

describe('blocking queries', () => {
  test('tell changes as they come, and wait by the index that was told last', async () => {
    const backend = await named('a')
    const { consul, running } = await start([instance('127.0.0.1', Number(new URL(backend.origin).port))])
    expect(await ask(running)).toBe('a')
    await eventually(() => expect(consul.waiting).toBe(1))
    expect(consul.asked.map(({ query }) => query.get('index'))).toEqual([null, '10'])
    // Of 5 minutes, apart from others.
    const wait = Number.parseInt(consul.asked[1]?.query.get('wait') ?? '', 10)
    expect([wait >= 270_000, wait <= 300_000]).toEqual([true, true])
    consul.set([one, two])
    await eventuallyFinds(running, [a, b])
    consul.set([])
    await eventuallyFinds(running, [])
    expect(messages(running, 'a discovery lost its source, the last targets stay')).toEqual([])
  })

  test('begin anew when the index went backwards', async () => {
    const { consul, running } = await start([one])
    await eventually(() => expect(consul.waiting).toBe(1))
    consul.set([one, two], 3)
    await eventually(() =>
      expect(consul.asked.map(({ query }) => query.get('index')).slice(0, 4)).toEqual([null, '10', null, '3']),
    )
    expect(found(running).urls).toEqual([a, b])
    consul.set([two], 4)
    await eventuallyFinds(running, [b])
  })

  test.each([
    ['missing', undefined],
    ['0', 0],
  ])('are no longer ones where the index is %s', async (_, index) => {
    const { consul, running } = await start([one])
    await eventually(() => expect(consul.waiting).toBe(1))
    consul.index = index
    consul.instances = [two]
    consul.wake()
    await eventuallyFinds(running, [b])
    const polls = () => consul.asked.slice(1).filter(({ query }) => !query.has('index'))
    await eventually(() => expect(polls()).toHaveLength(1))
    consul.instances = [one]
    await eventually(() => expect(polls()).toHaveLength(2))
    await eventuallyFinds(running, [a])
    const [first, second] = polls().map(({ at }) => at)
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThan(490)
  })

  test('that end without a change are asked again', async () => {
    const { consul, running } = await start([one], { wait: 20 })
    await eventually(() =>
      expect(consul.asked.filter(({ query }) => query.get('index') === '10').length).toBeGreaterThan(2),
    )
    expect(found(running)).toEqual({ urls: [a], stale: undefined })
    expect(messages(running, 'targets changed')).toHaveLength(1)
  })

  test('say what they are about', async () => {
    vi.stubEnv('CONSUL_TOKEN', 'e95b599e')
    const { secret } = await import('@gateway/core')
    const { consul } = await start([one], {
      service: 'the shop/1',
      token: secret('CONSUL_TOKEN'),
      datacenter: 'dc2',
      namespace: 'team',
      partition: 'part',
      tags: ['v1', 'blue'],
      filter: 'Service.Meta.version == "2"',
      consistency: 'stale',
    })
    const [{ path, query, headers } = expect.fail('was not asked')] = consul.asked
    expect(path).toBe('/v1/health/service/the%20shop%2F1')
    expect([...query]).toEqual([
      ['passing', '1'],
      ['dc', 'dc2'],
      ['ns', 'team'],
      ['partition', 'part'],
      ['tag', 'v1'],
      ['tag', 'blue'],
      ['filter', 'Service.Meta.version == "2"'],
      ['stale', '1'],
    ])
    expect(headers['x-consul-token']).toBe('e95b599e')
  })
})

test('instances become targets: addresses, weights, zones, metadata; those that cannot are left out', async () => {
  const consul = await startFakeConsul()
  const warned = {
    ...instance('10.0.0.6', 80, { Weights: { Passing: 9, Warning: 0 } }),
    Checks: [{ Status: 'warning' }],
  }
  const critical = { ...instance('10.0.0.7', 80), Checks: [{ Status: 'warning' }, { Status: 'critical' }] }
  consul.instances = [
    instance('10.0.0.1', 80, { Weights: { Passing: 7, Warning: 1 }, Meta: { version: '2' } }),
    instance('', 81, { Meta: null, Weights: null }),
    instance('fd00::1', 82, {}, { Locality: { Region: 'eu', Zone: 'eu-1' } }),
    instance('shop.test', 83, { Locality: { Zone: 'eu-2' } }, { Locality: { Zone: 'eu-1' } }),
    instance('10.0.0.5', 0),
    { Node: {} },
    warned,
    critical,
  ]
  const { plugin, targets } = viewing()
  const discover = { use: 'consul', agents: [consul.origin], warning: true, scheme: 'https' }
  const running = await startWith(discover, { plugins: [discovery(), plugin] })
  expect(targets().map(({ url, weight, zone, metadata }) => [url, weight, zone, { ...metadata }])).toEqual([
    ['https://10.0.0.1:80', 7, undefined, { version: '2' }],
    ['https://10.9.9.9:81', 1, undefined, {}],
    ['https://[fd00::1]:82', 1, 'eu-1', {}],
    ['https://shop.test:83', 1, 'eu-2', {}],
    ['https://10.0.0.6:80', 0, undefined, {}],
  ])
  expect(consul.asked[0]?.query.has('passing')).toBe(false)
  expect(messages(running, 'instance shop-0 is left out')).toEqual([
    expect.objectContaining({ service: 'shop', reason: 'it has no port' }),
  ])
  expect(messages(running, 'instance 5 is left out')).toHaveLength(1)
})

describe('an agent', () => {
  test.each<[string, (response: ServerResponse) => void, string]>([
    [
      'an error',
      response => void response.writeHead(500).end('No cluster leader'),
      'it answered 500: No cluster leader',
    ],
    [
      'a refusal',
      response => void response.writeHead(403).end('Permission denied'),
      'it answered 403: Permission denied',
    ],
    [
      'a redirect',
      response => void response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(),
      'it answered 307',
    ],
    ['another page', response => void response.end('<html>'), 'JSON'],
    ['an object', response => void response.end('{}'), 'no list of instances'],
    ['an answer cut off', response => void response.writeHead(200, { 'content-length': 9 }).destroy(), ''],
    ['silence', () => {}, 'no answer within 50 ms'],
    ['half an answer', response => void response.write('[{'), 'no answer within 50 ms'],
  ])('that answers with %s leaves what was found last', async (_, answer, reason) => {
    const { consul, running } = await start([one], { wait: 20, timeout: 50 })
    consul.answer = answer
    consul.wake()
    await eventuallyStale(running, reason)
    expect(found(running)).toEqual({ urls: [a], stale: expect.stringContaining(consul.origin) })
    consul.answer = undefined
    // Nothing has changed, but it is known again.
    await eventuallyFinds(running, [a])
    expect(messages(running, 'a discovery found its source again')).toHaveLength(1)
  })

  test('that says for how long it is not to be asked is left alone', async () => {
    const { consul, running } = await start([one])
    const times: number[] = []
    consul.answer = response => {
      times.push(performance.now())
      response.writeHead(429, { 'retry-after': '1' }).end()
    }
    consul.wake()
    await eventuallyStale(running, 'it answered 429')
    await eventually(() => expect(times).toHaveLength(2))
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(990)
  })

  test('that knows of no leader does not know that there are no instances', async () => {
    const { consul, running } = await start([one], { consistency: 'stale' })
    consul.headers = { 'x-consul-knownleader': 'false' }
    await eventually(() => expect(consul.waiting).toBe(1))
    consul.set([])
    await eventuallyStale(running, 'it knows of no leader, and of no instance')
    consul.set([one, two])
    await eventuallyFinds(running, [a, b])
  })

  test('that does not answer is left for the next, without a word of loss', async () => {
    const [first, second] = [await startFakeConsul(), await startFakeConsul()]
    first.answer = response => void response.destroy()
    second.instances = [one]
    second.index = 2
    const running = await startWith({ use: 'consul', agents: [first.origin, second.origin] })
    expect(found(running)).toEqual({ urls: [a], stale: undefined })
    expect(messages(running, 'a Consul agent does not answer, the next is asked')).toHaveLength(1)
    await eventually(() => expect(second.waiting).toBe(1))
    // And it goes back, from the beginning: an index of one agent is none of the other's.
    first.answer = undefined
    first.instances = [two]
    second.answer = response => void response.destroy()
    second.wake()
    await eventuallyFinds(running, [b])
    expect(first.asked.at(1)?.query.has('index')).toBe(false)
    expect(messages(running, 'a discovery lost its source, the last targets stay')).toEqual([])
  })

  test('that is not there keeps nobody from starting', async () => {
    const running = await startWith({ use: 'consul', agents: ['http://127.0.0.1:1'] })
    expect(await ask(running)).toBe('503')
    await eventuallyStale(running, 'http://127.0.0.1:1: connect ECONNREFUSED')
  })

  test('is asked by one for all who ask the same, over reloads, and let go of by the last', async () => {
    const { consul, running, discover } = await start([one])
    await eventually(() => expect(consul.waiting).toBe(1))
    const listen = { port: 0, host: '127.0.0.1' }
    const other = { discover: { ...discover, service: 'shop', scheme: 'https' } }
    const services = { shop: { discover }, other }
    await running.gateway.reload(configOf(discover, { listen, services }))
    await running.gateway.reload(configOf(discover, { listen, services, timeoutStatus: 408 }))
    expect(consul.asked).toHaveLength(2)
    await running.gateway.reload({ listen, routes: {} })
    await eventually(() => expect(consul.waiting).toBe(0))
  })

  test('over TLS, with a certificate of ours', async () => {
    const authority = await createAuthority()
    const server = await authority.issue({ names: ['DNS:localhost'] })
    const { cert, key } = await authority.issue({ subject: '/CN=gateway' })
    const ca = authority.cert
    const consul = await startFakeConsul({ cert: server.cert, key: server.key, ca, requestCert: true })
    consul.instances = [one]
    const running = await startWith({ use: 'consul', agents: [consul.origin], tls: { ca, cert, key } })
    expect(found(running).urls).toEqual([a])
    const doubting = await startWith({ use: 'consul', agents: [consul.origin] })
    await eventuallyStale(doubting, 'certificate')
  })
})

test('5,000 instances', async () => {
  const many = Array.from({ length: 5_000 }, (_, i) => instance(`10.1.${i >> 8}.${i & 255}`, 80))
  const { consul, running } = await start(many)
  expect(found(running).urls).toHaveLength(5_000)
  await eventually(() => expect(consul.waiting).toBe(1))
  consul.set(many.slice(1))
  await eventually(() => expect(found(running).urls).toHaveLength(4_999))
  expect(messages(running, 'targets changed').at(-1)).toMatchObject({ added: [], removed: ['http://10.1.0.0:80'] })
})

test.each([
  [{ agents: ['127.0.0.1:8500'] }, 'must be an origin'],
  [{ agents: ['http://127.0.0.1:8500/v1'] }, 'must be an origin'],
  [{ tls: { ca: '' } }, 'needs agents that are asked by https'],
  [{ agents: ['https://consul.test'], tls: { cert: '' } }, 'takes cert and key only together'],
  [{ wait: '11m' }, 'must lie between 10ms and 10m'],
])('refused: %o', async (options, message) => {
  await expect(startWith({ use: 'consul', ...options })).rejects.toThrow(message)
})
