import { setTimeout as sleep } from 'node:timers/promises'
import { balancing } from '@gateway/balancing'
import type { Attempt, Context } from '@gateway/core'
import { health } from '@gateway/health'
import { expect, test, vi } from 'vitest'
import { onCleanup } from '../../support/cleanup.ts'
import { eventually } from '../../support/eventually.ts'
import { type RunningGateway, startGateway } from '../../support/gateway.ts'
import { type ServerProcess, startServerProcess } from '../../support/server-process.ts'
import { pools } from '../../support/watched.ts'

/**
 * What clients see of targets that die, hang and slow down, with health checks and a balancer and no plugin that tries again:
 * the kernel alone sends a GET again whose connection was refused, or closed before it was read.
 */
const clients = 8

async function start(more: object = {}) {
  const servers = [await startServerProcess('a'), await startServerProcess('b')] as const
  const sent = new Map<string, number>()
  const shop = {
    targets: servers.map(({ origin }) => origin),
    balance: 'leastRequests',
    health: {
      path: '/healthz',
      interval: '20ms',
      timeout: '300ms',
      unhealthyAfter: 2,
      healthyAfter: 1,
      // Short, so that it is probes that keep a target out.
      passive: { failures: 3, ejectFor: '10ms', maxEjectFor: '10ms', ...more },
    },
  }
  const running = await startGateway({
    log: { access: false },
    plugins: [balancing(), health()],
    services: { shop },
    routes: {
      all: {
        match: 'GET /',
        service: 'shop',
        timeout: { connect: '1s', head: '1s' },
        onAttempt: (_ctx: Context, { target }: Attempt) => void sent.set(target.url, (sent.get(target.url) ?? 0) + 1),
      },
    },
  })
  const saidOf = (said: string, { origin }: ServerProcess) =>
    vi.waitUntil(() => running.log.all.find(({ message, fields }) => message === said && fields.target === origin), {
      timeout: 15_000,
      interval: 2,
    })
  return { ...running, servers, sent, saidOf, seen: startLoad(running) }
}

/** How often clients saw which answer, from now until the test is over: each asks again as soon as it has one. */
function startLoad({ gateway }: RunningGateway): Map<string, number> {
  const seen = new Map<string, number>()
  let isOver = false
  async function client(): Promise<void> {
    while (!isOver) {
      const response = await gateway.fetch('http://gateway.test/')
      const said = response.ok ? await response.text() : `${response.status} ${await codeOf(response)}`
      seen.set(said, (seen.get(said) ?? 0) + 1)
      // Two cores are for more than this.
      await sleep(2)
    }
  }
  const load = Promise.all(Array.from({ length: clients }, client))
  onCleanup('clients', async () => {
    isOver = true
    await load
  })
  return seen
}

async function codeOf(response: Response): Promise<string | undefined> {
  return /"code":"(\w+)"/.exec(await response.text())?.[1]
}

/** Waits for so many answers from now on. */
function more(seen: ReadonlyMap<string, number>, said: string, count = 20): Promise<void> {
  const before = seen.get(said) ?? 0
  return eventually(() => expect(seen.get(said) ?? 0).toBeGreaterThanOrEqual(before + count))
}

/** Answers that were none of a target. */
const failures = (seen: ReadonlyMap<string, number>) =>
  [...seen].flatMap(([said, count]) => (said.length === 1 ? [] : count)).reduce((sum, count) => sum + count, 0)

test('a target that dies under load costs each client a request at most, and one that is back is used', async () => {
  const { servers, seen, sent, saidOf } = await start()
  await Promise.all([more(seen, 'a'), more(seen, 'b')])
  expect(failures(seen)).toBe(0)
  await servers[0].kill()
  await saidOf('a target is down', servers[0])
  const sentToIt = sent.get(servers[0].origin)
  await more(seen, 'b', 200)
  expect(sent.get(servers[0].origin)).toBe(sentToIt)
  expect(failures(seen)).toBeLessThanOrEqual(clients)
  const lost = failures(seen)
  await servers[0].restart()
  await more(seen, 'a')
  expect(failures(seen)).toBe(lost)
})

test('one that hangs costs what was on its way to it when it showed', async () => {
  const { servers, seen, sent, saidOf } = await start()
  await Promise.all([more(seen, 'a'), more(seen, 'b')])
  servers[0].pause()
  await saidOf('a target is down', servers[0])
  const sentToIt = sent.get(servers[0].origin)
  await eventually(() => expect(failures(seen)).toBeGreaterThan(0))
  await more(seen, 'b', 200)
  expect(sent.get(servers[0].origin)).toBe(sentToIt)
  // Once before it is out, and once more where probes are so late that an ejection comes and goes before.
  expect(failures(seen)).toBeLessThanOrEqual(2 * clients)
  servers[0].resume()
  await saidOf('a target is up again', servers[0])
  await more(seen, 'a')
})

test('one that slows down is ejected before anybody sees more of it than waiting', async () => {
  const { servers, seen, saidOf } = await start({ latency: { atLeast: '30ms' }, window: '1s', minRequests: 5 })
  await Promise.all([more(seen, 'a'), more(seen, 'b')])
  servers[0].slow(60)
  const { fields } = await saidOf('a target is ejected', servers[0])
  expect(fields.reason).toMatch(/^its answers take/)
  servers[0].slow(0)
  await more(seen, 'a')
  expect(failures(seen)).toBe(0)
})

test('with all down: 503 by its code, nothing waits, and the first that is back is used', async () => {
  const { gateway, servers, seen } = await start()
  await Promise.all(servers.map(server => server.kill()))
  await more(seen, '503 GATEWAY_NO_HEALTHY_TARGET')
  const burst = await Promise.all(Array.from({ length: 500 }, () => gateway.fetch('http://gateway.test/')))
  // Only probes may be on their way.
  for (const { stats } of pools) expect(stats.queued).toBeLessThanOrEqual(1)
  for (const response of burst) {
    expect(response.status).toBe(503)
    expect(await codeOf(response)).toBe('GATEWAY_NO_HEALTHY_TARGET')
  }
  await servers[1].restart()
  await more(seen, 'b')
  const failed = failures(seen)
  await more(seen, 'b', 100)
  expect(failures(seen)).toBe(failed)
})
