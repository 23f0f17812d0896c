import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { type Gateway, silentLog } from '@gateway/core'
import { rateLimit } from '@gateway/ratelimit'
import { pluginSuite } from '@gateway/testing'
import { createClient } from '@redis/client'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createAuthority } from '../../../test/support/certificates.ts'
import { onCleanup } from '../../../test/support/cleanup.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { startGateway } from '../../../test/support/gateway.ts'
import { tickEpochMs, ticksAt } from '../src/algorithms.ts'
import { checkOf, excessOfBucket, rateOf } from '../src/limits.fixture.ts'
import { type Options, optionsSchema } from '../src/options.ts'
import { RateTable, rateTableBytes } from '../src/rate-table.ts'
import { decisionScript } from '../src/redis-script.ts'
import { RedisStore } from '../src/redis-store.ts'
import { redisMissing, startRedis } from './redis-server.ts'

type Given = NonNullable<Parameters<typeof rateLimit>[0]>
type Redis = Exclude<NonNullable<Given['store']>, 'memory'>['redis']

// Its files go when this file's tests are done.
const authority = redisMissing ? undefined : await createAuthority()

const ok = { status: 200, body: 'ok' }

function configOf(redis: Redis, options: Given = {}, limit: object = { limit: 5, window: '1h' }) {
  return {
    plugins: [rateLimit({ maxKeys: 1024, store: { redis }, ...options })],
    routes: { all: { match: 'GET /*', reply: ok, rateLimit: limit } },
  }
}

const get = async (gateway: Gateway) => {
  const response = await gateway.fetch('http://gateway.test/')
  await response.arrayBuffer()
  return response
}

describe.skipIf(redisMissing)('with a real Redis', () => {
  for (const { name, run } of pluginSuite(
    () => rateLimit({ maxKeys: 1024, store: { redis: { url: 'redis://127.0.0.1:1' } } }),
    {
      routeOptions: { limit: 1000, window: '1m' },
    },
  ))
    test(`that is not there: ${name}`, run)

  test('its answers are those of memory, for random schedules under a fake clock and two gateways', async () => {
    const { url } = await startRedis()
    // The time is a key of the store, so that the test can set it.
    const timed = decisionScript.replace("redis.call('TIME')", "redis.call('HMGET', 'clock', 's', 'us')")
    // Keys expire by the real time, which goes on while the test's stands still.
    const script = timed.replace("'PX', math.max(1,", "'PX', math.max(600000,")
    expect(new Set([decisionScript, timed, script]).size).toBe(3)
    const { store } = optionsSchema.parse({ store: { redis: { url, timeout: '5s' } } }) as Options
    if (store === 'memory') throw new Error('it is Redis')
    const client = createClient({ url })
    await client.connect()
    const setClock = (ms: number) =>
      client.hSet('clock', { s: String(Math.floor(ms / 1000)), us: String((ms % 1000) * 1000) })
    await setClock(tickEpochMs)
    const gateways = [1, 2].map(() => new RedisStore(store.redis, silentLog, '', script))
    onCleanup('clients', async () => {
      for (const gateway of gateways) gateway.close()
      client.destroy()
    })
    await Promise.all(gateways.map(gateway => gateway.opened))

    let round = 0
    const rate = fc.record({
      limit: fc.integer({ min: 1, max: 9 }),
      windowMs: fc.integer({ min: 5, max: 900 }),
      burst: fc.integer({ min: 1, max: 12 }),
      algorithm: fc.constantFrom('tokenBucket' as const, 'slidingWindow' as const),
    })
    const step = fc.record({
      // Clocks that are set back by more than a second, too.
      wait: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 300 }), fc.constantFrom(-500, -2500)),
      gateway: fc.nat(1),
      cost: fc.integer({ min: 0, max: 3 }),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(rate, { minLength: 1, maxLength: 3 }),
        fc.array(step, { maxLength: 30 }),
        async (given, steps) => {
          round++
          const table = new RateTable(new SharedArrayBuffer(rateTableBytes(1024)), 1024)
          const rates = given.map(rateOf)
          const admitted: { atMs: number; cost: number }[] = []
          let atMs = tickEpochMs + 86_400_000
          let setBack = false
          for (const { wait, gateway, cost } of steps) {
            atMs += wait
            setBack ||= wait < 0
            await setClock(atMs)
            const checks = rates.map((rate, index) => {
              const id = `${round} ${index}`
              const check = checkOf(rate, table.keys.derive(id), 'key', cost)
              return { ...check, limit: { ...check.limit, id } }
            })
            const answered = checks.map(check => ({ ...check }))
            const expected = table.decide(checks, ticksAt(atMs))
            expect(await gateways[gateway]?.decide(answered)).toBe(expected)
            const reading = ({ admitted, remaining, retryTicks, resetTicks }: (typeof checks)[0]) => ({
              admitted,
              remaining,
              retryTicks,
              resetTicks,
            })
            expect(answered.map(reading)).toEqual(checks.map(reading))
            if (expected) admitted.push({ atMs, cost })
          }
          if (setBack) return
          for (const rate of rates.filter(({ algorithm }) => algorithm === 'tokenBucket')) {
            expect(excessOfBucket(admitted, rate)).toBeLessThanOrEqual(1e-6)
          }
        },
      ),
      { seed: 7, numRuns: 60 },
    )
  })

  test('two gateways share one limit, by the clock of Redis', async () => {
    const { url } = await startRedis()
    const config = configOf({ url, timeout: '5s' }, {}, { limit: 200, window: '1s', burst: 30 })
    const gateways = [await startGateway(config), await startGateway(config)]
    const began = performance.now()
    const statuses: number[] = []
    for (let round = 0; round < 10; round++) {
      const all = gateways.flatMap(({ gateway }) => Array.from({ length: 12 }, () => get(gateway)))
      statuses.push(...(await Promise.all(all)).map(({ status }) => status))
    }
    const passed = (performance.now() - began) / 1000
    const admitted = statuses.filter(status => status === 200).length
    expect(new Set(statuses)).toEqual(new Set([200, 429]))
    expect(admitted).toBeGreaterThanOrEqual(30)
    expect(admitted).toBeLessThanOrEqual(30 + 200 * passed + 1)
  })

  describe.each(['local', 'allow', 'deny'] as const)('when it is gone and the choice is %s', onStoreFailure => {
    /** What a request gets once five have passed in the hour. */
    const spent = { local: 429, allow: 200, deny: 503 }[onStoreFailure]

    test.each(['killed', 'stopped'] as const)('%s under load', async how => {
      const redis = await startRedis()
      const { gateway, log } = await startGateway(configOf({ url: redis.url, timeout: '300ms' }, { onStoreFailure }))
      const statusOf = async () => (await get(gateway)).status
      const said = (text: string) => log.all.filter(line => line.message.startsWith(`Redis is ${text}`)).length
      // Redis answers: whatever the choice, it is 429 after five.
      await eventually(async () => expect(await statusOf()).toBe(429))
      let loading = true
      const seen = new Set<number>()
      const load = Promise.all(
        [1, 2, 3, 4].map(async () => {
          // Without Redis nothing of a request waits, and the others have to have their turn.
          for (; loading; await setImmediate()) seen.add(await statusOf())
        }),
      )
      try {
        await redis.signal(how === 'killed' ? 'SIGKILL' : 'SIGSTOP')
        await eventually(() => expect(said('gone')).toBeGreaterThan(said('back')))
        await eventually(async () => expect(await statusOf()).toBe(spent))
        if (how === 'killed') await redis.restart()
        else await redis.signal('SIGCONT')
        // Each said once, however many requests there were; on a busy machine Redis may have seemed gone more often.
        await eventually(() => expect(said('back')).toBe(said('gone')))
        await eventually(async () => expect(await statusOf()).toBe(429))
      } finally {
        loading = false
        await load
      }
      // Nothing but what was chosen, and no failure of the gateway's own.
      expect([...seen].filter(status => ![200, 429, spent].includes(status))).toEqual([])
      expect(log.all.filter(line => line.level === 'error')).toEqual([])
    })
  })

  test('a start does not wait for one that says nothing', async () => {
    const redis = await startRedis()
    await redis.signal('SIGSTOP')
    const { gateway, log } = await startGateway(configOf({ url: redis.url, connectTimeout: '100ms' }))
    expect(log.all.filter(line => line.message.startsWith('Redis is gone'))).toHaveLength(1)
    expect((await get(gateway)).headers.get('ratelimit')).toContain('r=4')
  })

  test('one that forgets the script is told it again', async () => {
    const { url } = await startRedis()
    const { gateway, log } = await startGateway(configOf({ url, timeout: '5s' }, { onStoreFailure: 'deny' }))
    expect((await get(gateway)).headers.get('ratelimit')).toContain('r=4')
    const client = createClient({ url })
    await client.connect()
    await client.sendCommand(['SCRIPT', 'FLUSH'])
    expect((await get(gateway)).headers.get('ratelimit')).toContain('r=3')
    // Keys go by themselves once they are worth nothing.
    const [key = ''] = await client.keys('gateway:limit:route*')
    expect(await client.pTTL(key)).toBeGreaterThan(0)
    client.destroy()
    expect(log.all.filter(line => line.level === 'warn')).toEqual([])
  })

  test('one that refuses to write counts as gone, and the log says so once', async () => {
    const { url } = await startRedis(() => ['--maxmemory', '1'])
    const { gateway, log } = await startGateway(configOf({ url, timeout: '5s' }, { onStoreFailure: 'deny' }))
    expect((await get(gateway)).status).toBe(503)
    const { port } = new URL(url)
    const client = createClient({ url: `redis://127.0.0.1:${port}` })
    await client.connect()
    await client.configSet('maxmemory', '0')
    await eventually(async () => expect((await get(gateway)).status).toBe(200))
    client.destroy()
    expect(log.all.filter(line => line.level === 'warn')).toHaveLength(1)
  })

  test('is reached by socket, with a password and a database', async () => {
    const redis = await startRedis(() => ['--unixsocket', 'redis.sock', '--requirepass', 'open sesame'])
    const socket = join(redis.folder, 'redis.sock')
    const { gateway, log } = await startGateway(
      configOf(
        { socket, password: 'open sesame', database: 3, timeout: '5s', prefix: 'p:' },
        { onStoreFailure: 'deny' },
      ),
    )
    expect((await get(gateway)).status).toBe(200)
    const client = createClient({ url: redis.url, password: 'open sesame', database: 3 })
    await client.connect()
    expect((await client.keys('*')).filter(key => key.startsWith('p:route all|'))).toHaveLength(1)
    client.destroy()
    expect(JSON.stringify([log.all, gateway.shared])).not.toContain('sesame')
  })

  test('is reached over TLS by those who show a certificate', async () => {
    if (authority === undefined) throw new Error('there is no Redis to ask')
    const server = await authority.issue({ names: ['DNS:localhost'] })
    const mine = await authority.issue({ subject: '/CN=gateway' })
    const files = [
      '--tls-ca-cert-file',
      authority.certFile,
      '--tls-cert-file',
      server.certFile,
      '--tls-key-file',
      server.keyFile,
    ]
    const { port } = await startRedis(port => ['--port', '0', '--tls-port', port, ...files])
    const statusWith = async (tls: NonNullable<Redis['tls']>) => {
      const url = `rediss://127.0.0.1:${port}`
      const { gateway } = await startGateway(configOf({ url, tls, timeout: '5s' }, { onStoreFailure: 'deny' }))
      return (await get(gateway)).status
    }
    const { cert, key } = mine
    expect(await statusWith({ ca: authority.cert, cert, key, serverName: 'localhost' })).toBe(200)
    expect(await statusWith({ ca: authority.cert, serverName: 'localhost' })).toBe(503)
    expect(await statusWith({ cert, key, serverName: 'localhost' })).toBe(503)
    expect(await statusWith({ ca: authority.cert, cert, key, serverName: 'elsewhere' })).toBe(503)
  })
})
