/** Plugins that decide where requests go, and whether they do, on the same routes. */

import { cache } from '@gateway/cache'
import { defineConfig } from '@gateway/core'
import { circuitBreaker, concurrency } from '@gateway/resilience'
import { hang, testGateway } from '@gateway/testing'
import { split } from '@gateway/traffic'
import { describe, expect, test } from 'vitest'

describe('a service that a split chose', () => {
  const next = { query: 'next', service: 'next' } as const

  test('has its own circuits, and none of them is of the route’s service', async () => {
    const config = defineConfig({
      plugins: [split(), circuitBreaker()],
      services: {
        shop: { targets: ['http://a.test'], circuitBreaker: { failures: 2 } },
        next: { targets: ['http://b.test'], circuitBreaker: { failures: 3 } },
      },
      routes: { all: { match: 'ANY /*', service: 'shop', split: { when: [next] } } },
    })
    const upstreams = { shop: () => new Response(), next: () => new Response('', { status: 500 }) }
    await using gateway = await testGateway(config, { upstreams })
    for (let i = 0; i < 3; i++) expect((await gateway.fetch('/?next=1')).status).toBe(500)
    expect((await gateway.fetch('/?next=1')).status).toBe(503)
    expect((await gateway.fetch('/')).status).toBe(200)
    const opened = gateway.log.filter(({ message }) => message.endsWith('opened'))
    expect(opened.map(({ fields }) => fields)).toMatchObject([{ service: 'next', target: 'http://b.test' }])
    // The trial, once it is time, is the same service's.
    await gateway.clock.advance('5s')
    expect((await gateway.fetch('/?next=1')).status).toBe(500)
    expect((await gateway.fetch('/?next=1')).status).toBe(503)
  })

  test('has its own limit of requests under way', async () => {
    const config = defineConfig({
      plugins: [split(), concurrency()],
      services: {
        shop: { targets: ['http://a.test'], concurrency: { limit: 1 } },
        next: { targets: ['http://b.test'], concurrency: { limit: 2 } },
      },
      routes: { all: { match: 'ANY /*', service: 'shop', split: { when: [next] } } },
    })
    await using gateway = await testGateway(config, { upstreams: { shop: () => new Response(), next: hang } })
    const client = new AbortController()
    const { signal } = client
    const waiting = [1, 2].map(() => gateway.fetch('/?next=1', { signal }).catch(() => 'left'))
    await gateway.clock.advance(0)
    expect((await gateway.fetch('/?next=1')).status).toBe(503)
    expect((await gateway.fetch('/')).status).toBe(200)
    client.abort()
    await Promise.all(waiting)
  })
})

test('what a circuit breaker answers in need is not kept', async () => {
  const config = defineConfig({
    plugins: [cache(), circuitBreaker()],
    services: { shop: { targets: ['http://a.test'] } },
    routes: {
      all: {
        match: 'GET /*',
        service: 'shop',
        cache: { ttl: '1h' },
        circuitBreaker: { failures: 1, openFor: '5s', fallback: { body: 'later' } },
      },
    },
  })
  let status = 500
  await using gateway = await testGateway(config, { upstreams: { shop: () => new Response('shop', { status }) } })
  await gateway.fetch('/')
  const instead = await gateway.fetch('/')
  expect([instead.headers.get('cache-control'), await instead.text()]).toEqual(['no-store', 'later'])
  status = 200
  await gateway.clock.advance('5s')
  expect(await (await gateway.fetch('/')).text()).toBe('shop')
})
