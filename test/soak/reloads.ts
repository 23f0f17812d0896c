/** `npm run soak:reloads`: reloads a gateway again and again under wrk and endless responses, and tells what it cost. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parseArgs, promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { createGateway, definePlugin, silentLog } from '@gateway/core'
import { sse } from '@gateway/sse'
import { websocket } from '@gateway/websocket'
import type { Order, StreamReport } from './reload-peers.ts'

const { values } = parseArgs({
  options: {
    reloads: { type: 'string', default: '1000' },
    connections: { type: 'string', default: '64' },
    streams: { type: 'string', default: '500' },
  },
})
const [reloads, connections, streams] = [values.reloads, values.connections, values.streams].map(Number) as [
  number,
  number,
  number,
]
const { gc } = globalThis
if (gc === undefined || ![reloads, connections, streams].every(Number.isInteger)) {
  console.error('node --expose-gc test/soak/reloads.ts [--reloads 1000] [--connections 64] [--streams 500]')
  process.exit(2)
}

const peers = new Worker(new URL('./reload-peers.ts', import.meta.url))
const [upstreamPort] = (await once(peers, 'message')) as [number]
const tell = async (order: Order): Promise<unknown> => {
  peers.postMessage(order)
  const [answer] = await once(peers, 'message')
  return answer
}

let accepted = 0
let failed = 0
/** Something is another each time: a route, an option, a limit of the pool, a setting of the listener, a plugin. */
const config = (round: number) => ({
  listen: { port: 0, host: '127.0.0.1', limits: { requestsPerConnection: 0, bodySize: 1_000_000 + round } },
  drainTimeout: '1d',
  log: { level: 'silent' },
  plugins: [
    definePlugin({
      name: 'counting',
      setup(host) {
        host.clock.every(60_000, () => {})
        host.share({ name: 'counting.state', create: () => ({}) })
        return {
          onConnection: () => void accepted++,
          onRoute: () => ({ onFinish: (_ctx, { status, error }) => void (status !== 200 || error ? failed++ : 0) }),
        }
      },
    })(),
    sse(),
    websocket(),
    ...(round % 3 === 0 ? [definePlugin({ name: 'other' })()] : []),
  ],
  services: {
    backend: { targets: [`http://127.0.0.1:${upstreamPort}`], pool: { connections: 1_000 + (round % 5) } },
  },
  routes: {
    all: { match: 'ANY /*', service: 'backend', responseHeaders: { set: { 'X-Round': `${round}` } } },
    stays: { match: 'GET /stays', service: 'backend' },
    events: { match: 'GET /events', service: 'backend', sse: { maxConnectionsPerClient: 0 } },
    socket: { match: 'GET /socket', service: 'backend', websocket: true },
    ...(round % 2 === 0 ? { [`extra${round}`]: { match: `GET /extra/${round}`, redirect: '/' } } : {}),
  },
})

const gateway = await createGateway(config(0), { log: silentLog })
const [address] = await gateway.listen()
if (address === undefined) throw new Error('it does not listen')
await tell({ open: streams, port: address.port })

const wrk = promisify(execFile)('wrk', ['-t1', `-c${connections}`, '-d3600s', address.url])
const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))
const collect = async () => {
  for (let turn = 0; turn < 5; turn++) {
    gc()
    await sleep(20)
  }
  return process.memoryUsage().heapUsed
}
const handles = () => {
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

const times: number[] = []
async function reloadTo(last: number): Promise<void> {
  while (times.length < last) {
    const began = performance.now()
    await gateway.reload(config(times.length + 1))
    times.push(performance.now() - began)
    // The load has its share of every generation.
    await sleep(10)
  }
}

await sleep(1_000)
// What warms up, warms up before the first look.
await reloadTo(20)
const before = { heap: await collect(), handles: handles(), accepted }
const delay = monitorEventLoopDelay({ resolution: 5 })
delay.enable()
await reloadTo(reloads)
delay.disable()
const after = { heap: await collect(), handles: handles(), accepted, failed }
const [first, ...older] = gateway.generations
// It then tells what it has seen.
wrk.child.kill('SIGINT')
const { stdout } = await wrk
const report = (await tell({ finish: true })) as StreamReport
await peers.terminate()
await gateway.close()

const sorted = times.toSorted((a, b) => a - b)
const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(1)
const grown = (after.heap - before.heap) / 1e6
console.log(stdout.trim())
console.table({
  reloads: `${times.length}, ms each: ${at(0.5)} (median), ${at(0.99)} (99 %)`,
  'failed requests': after.failed,
  'connections opened after the start': after.accepted - before.accepted,
  'streams broken': `${report.broken} of ${streams}, ${report.ticks} pieces each`,
  'generations left': `${first?.id} serves, ${older.map(({ id, inFlight }) => `${id} has ${inFlight}`).join(', ')}`,
  heap: `${(before.heap / 1e6).toFixed(1)} MB before, ${(after.heap / 1e6).toFixed(1)} MB after`,
  'event loop, longest delay': `${(delay.max / 1e6).toFixed(0)} ms, 99 %: ${(delay.percentile(99) / 1e6).toFixed(0)} ms`,
  'handles before': JSON.stringify(before.handles),
  'handles after': JSON.stringify(after.handles),
})
const leaked = Object.entries(after.handles).some(([kind, count]) => count > (before.handles[kind] ?? 0))
process.exitCode =
  after.failed > 0 ||
  /Non-2xx|Socket errors/.test(stdout) ||
  after.accepted > before.accepted ||
  report.broken > 0 ||
  grown > 30 ||
  leaked
    ? 1
    : 0
