/**
 * What clients notice of a target that is killed, started again, stopped and let go on, with retries and health checks:
 * `node test/bench/recovery.ts`. Gateway and clients share this process, so the times are upper bounds.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createGateway, defineConfig, silentLog } from '@gateway/core'
import { health } from '@gateway/health'
import { retry } from '@gateway/resilience'
import { Agent } from 'undici'
import { forkServer } from '../support/fork-server.ts'

const clients = 16
const settleMs = 1_500

interface Answer {
  readonly at: number
  readonly ms: number
  readonly status: number
  readonly by: string
}

const [a, b] = await Promise.all([forkServer('a'), forkServer('b')])

const config = defineConfig({
  listen: { port: 0, host: '127.0.0.1' },
  log: { access: false },
  plugins: [health(), retry()],
  services: {
    shop: {
      targets: [a.origin, b.origin],
      health: { tcp: true, interval: '500ms', passive: { failures: 3, ejectFor: '500ms', maxEjectFor: '500ms' } },
    },
  },
  routes: { all: { match: 'GET /*', service: 'shop', retry: { perTryTimeout: '250ms' } } },
})
const gateway = await createGateway(config, { log: silentLog })
const [address] = await gateway.listen()
const agent = new Agent({ connections: clients, pipelining: 1 })
const answers: Answer[] = []
let isOver = false

async function client(): Promise<void> {
  while (!isOver) {
    const began = performance.now()
    const { statusCode, body } = await agent.request({
      origin: `http://127.0.0.1:${address?.port}`,
      path: '/',
      method: 'GET',
    })
    const by = await body.text()
    answers.push({ at: began, ms: performance.now() - began, status: statusCode, by })
  }
}

const percentile = (sorted: readonly number[], part: number) => sorted[Math.floor((sorted.length - 1) * part)] ?? 0

/** Does something to a target and says what became of requests from then on. */
async function show(what: string, act: () => unknown, back?: string): Promise<void> {
  const began = performance.now()
  await act()
  const done = performance.now()
  await sleep(settleMs)
  const since = answers.filter(({ at, ms }) => at + ms >= began)
  const times = since.map(({ ms }) => ms).toSorted((x, y) => x - y)
  const first = back === undefined ? undefined : since.find(({ at, by }) => at >= done && by === back)
  const row = {
    requests: since.length,
    failed: since.filter(({ status }) => status !== 200).length,
    'median ms': percentile(times, 0.5).toFixed(1),
    'longest ms': percentile(times, 1).toFixed(0),
    'over 100 ms': times.filter(ms => ms > 100).length,
    ...(first && { 'it serves again after ms': (first.at + first.ms - done).toFixed(0) }),
  }
  console.log(what, row)
}

const running = Promise.all(Array.from({ length: clients }, client))
await sleep(500)
await show('nothing happens', () => {})
await show('a is killed', () => a.kill())
await show('a is started again', () => a.restart(), 'a')
await show('b is stopped', () => b.pause())
await show('b goes on', () => b.resume(), 'b')
isOver = true
await running
await agent.destroy()
await gateway.close()
await Promise.all([a.kill(), b.kill()])
