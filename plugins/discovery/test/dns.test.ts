import { discovery } from '@gateway/discovery'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { startNameServer, type Zone } from './dns-server.ts'
import { ask, configOf, eventuallyFinds, eventuallyStale, found, named, startWith, viewing } from './support.ts'

async function start(zone: Zone, more: object = {}) {
  const { server, asked } = await startNameServer(zone)
  const discover = { use: 'dns', name: 'shop.test', servers: [server], minRefresh: 10, maxRefresh: 40, ...more }
  return { running: await startWith(discover), asked, discover }
}

describe('addresses', () => {
  test('serve, come and go, in whatever order they are told', async () => {
    const backend = await named('a')
    const port = Number(new URL(backend.origin).port)
    const zone: Zone = { 'shop.test': { A: ['127.0.0.1'] } }
    const { running } = await start(zone, { port })
    expect(await ask(running)).toBe('a')
    zone['shop.test'] = { A: ['127.0.0.2', '127.0.0.1'] }
    await eventuallyFinds(running, [`http://127.0.0.1:${port}`, `http://127.0.0.2:${port}`])
    zone['shop.test'] = { A: ['127.0.0.1'] }
    await eventuallyFinds(running, [`http://127.0.0.1:${port}`])
    expect(await ask(running)).toBe('a')
    expect(backend.wires).toHaveLength(1)
  })

  test('of IPv6, or of both; that there is none of one kind is no failure', async () => {
    const zone: Zone = { 'shop.test': { A: ['10.0.0.1'], AAAA: ['fd00:0:0:0:0:0:0:1'] } }
    const both = await start(zone, { port: 80, type: 'A+AAAA' })
    expect(found(both.running).urls).toEqual(['http://10.0.0.1:80', 'http://[fd00::1]:80'])
    const six = await start(zone, { port: 443, type: 'AAAA', scheme: 'https' })
    expect(found(six.running).urls).toEqual(['https://[fd00::1]:443'])
    zone['shop.test'] = { A: ['10.0.0.1'] }
    await eventuallyFinds(both.running, ['http://10.0.0.1:80'])
    await eventuallyStale(six.running, 'AAAA of shop.test: there is none')
  })

  test('hold for their TTL, but for the bounds', async () => {
    const zone: Zone = { 'shop.test': { ttl: 3_600, A: ['10.0.0.1'] }, 'other.test': { A: ['10.0.0.2'] } }
    const long = await start(zone, { port: 80, maxRefresh: '1h' })
    const bounded = await start(zone, { port: 80 })
    const none = await start(zone, { port: 80, maxRefresh: '1h', name: 'other.test' })
    await eventually(() => expect([bounded.asked.length > 4, none.asked.length > 4]).toEqual([true, true]))
    expect(long.asked).toHaveLength(1)
  })
})

describe('SRV', () => {
  test('records give port, weight and priority, and their names are asked for where they were', async () => {
    const zone: Zone = {
      'shop.test': { SRV: ['20 3 8080 a.test', '10 0 8081 b.test', '10 4 8082 both.test', '10 1 8083 none.test'] },
      'a.test': { A: ['10.0.0.1'] },
      'b.test': { AAAA: ['fd00:0:0:0:0:0:0:2'] },
      'both.test': { A: ['10.0.0.3', '10.0.0.4'] },
    }
    const { server } = await startNameServer(zone)
    const { plugin, targets } = viewing()
    const discover = { use: 'dns', name: 'shop.test', type: 'SRV', servers: [server], minRefresh: 10, maxRefresh: 40 }
    const running = await startWith(discover, { plugins: [discovery(), plugin] })
    expect(Object.fromEntries(targets().map(({ url, weight, priority }) => [url, [weight, priority]]))).toEqual({
      'http://10.0.0.1:8080': [3, 1],
      'http://[fd00::2]:8081': [0.01, 0],
      'http://10.0.0.3:8082': [2, 0],
      'http://10.0.0.4:8082': [2, 0],
    })
    // One record without a name: the service is not offered (RFC 2782).
    zone['shop.test'] = { SRV: ['0 0 0 .'] }
    await eventuallyFinds(running, [])
    zone['shop.test'] = { SRV: ['0 0 80 none.test'] }
    await eventuallyStale(running, 'none of its names has an address')
  })

  test('names stay where TLS is spoken', async () => {
    const { running } = await start({ 'shop.test': { SRV: ['0 1 8443 a.test'] } }, { type: 'SRV', scheme: 'https' })
    expect(found(running).urls).toEqual(['https://a.test:8443'])
  })
})

test.each<[string, Zone[string], string]>([
  ['NXDOMAIN', undefined, 'there is none'],
  ['an answer without records', {}, 'there is none'],
  ['SERVFAIL', 'SERVFAIL', 'queryA ESERVFAIL'],
  ['silence', 'silent', 'queryA ETIMEOUT'],
])('%s leaves what was found last', async (_, entry, reason) => {
  const zone: Zone = { 'shop.test': { A: ['10.0.0.1'] } }
  const { running } = await start(zone, { port: 80, timeout: 30 })
  zone['shop.test'] = entry
  await eventuallyStale(running, reason)
  expect(found(running).urls).toEqual(['http://10.0.0.1:80'])
  zone['shop.test'] = { A: ['10.0.0.2'] }
  await eventuallyFinds(running, ['http://10.0.0.2:80'])
})

test('a start does not wait for a name server that is not there, and a reload not for one that has answered', async () => {
  const zone: Zone = { 'shop.test': 'SERVFAIL' }
  const { running, discover, asked } = await start(zone, { port: 80, maxRefresh: '1h' })
  expect(await ask(running)).toBe('503')
  zone['shop.test'] = { ttl: 3_600, A: ['10.0.0.1'] }
  await eventuallyFinds(running, ['http://10.0.0.1:80'])
  const before = asked.length
  await running.gateway.reload(configOf(discover, { listen: { port: 0, host: '127.0.0.1' }, timeoutStatus: 408 }))
  expect(found(running).urls).toEqual(['http://10.0.0.1:80'])
  expect(asked.length).toBe(before)
})

test.each([
  [{ type: 'A' }, 'is missing: addresses have none'],
  [{ type: 'SRV', port: 80 }, 'cannot go with type SRV'],
  [{ port: 80, minRefresh: '1m' }, 'must not be less than minRefresh'],
  [{ port: 80, servers: ['dns.test'] }, 'must be an address, with a port or without'],
])('refused: %o', async (options, message) => {
  await expect(startWith({ use: 'dns', name: 'shop.test', ...options })).rejects.toThrow(message)
})
