/**
 * What a reload of 10,000 routes costs: `node test/bench/reload.ts`.
 *
 * The config is one file that names each route, as a generator would write it. Each save adds a route and edits others;
 * it is live when a client is answered by the new route. The longest block of the event loop meanwhile is told by
 * reload-probe.ts, in the process of the gateway.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { renameSync, writeFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { folder } from './processes.ts'
import { freePort } from './upstreams.ts'

const routes = 10_000
const saves = 25
/** Of a process that has just started, whose code no compiler has optimised yet; shown, and not counted. */
const warmUps = 5
const patienceMs = 20_000
const goals = { live: 200, blocked: 20 }

const port = await freePort()
const file = join(folder, 'gateway.config.ts')
const agent = new Agent({ keepAlive: true, maxSockets: 1 })

save(source(0))
const program = join(import.meta.dirname, '../../core/bin/gateway.js')
const gateway = fork(program, ['start', file, '--watch', '--no-control'], {
  execArgv: ['--import', join(import.meta.dirname, 'reload-probe.ts')],
  stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  cwd: folder,
})
let over = false
gateway.on('exit', code => {
  if (!over) throw new Error(`the gateway ended with ${code}`)
})
await untilLive(0)
const measured: Record<keyof typeof goals, number>[] = []
for (let round = 1; round <= saves; round++) {
  const text = source(round)
  await blockedMs()
  const began = performance.now()
  save(text)
  await untilLive(round)
  const live = performance.now() - began
  // The lints run now, beside the requests: no promise about the loop excepts them.
  await sleep(500)
  measured.push({ live, blocked: await blockedMs() })
}
over = true
gateway.kill()
agent.destroy()

console.log(
  `one file of ${(source(0).length / 1e6).toFixed(1)} MB, ${routes.toLocaleString('en')} routes, ${saves} saves`,
)
tell('from the save to the first answer', 'live')
tell('longest block of the event loop', 'blocked')

function tell(what: string, figure: keyof typeof goals): void {
  const values = measured.map(round => round[figure])
  const counted = values.slice(warmUps).sort((a, b) => a - b)
  const worst = Math.max(...counted)
  const figures = {
    median: counted[Math.floor(counted.length / 2)] ?? Number.NaN,
    worst,
    [`worst of the first ${warmUps}`]: Math.max(...values.slice(0, warmUps)),
  }
  const list = Object.entries(figures).map(([name, ms]) => `${name} ${ms.toFixed(0)} ms`)
  console.log(
    `${what}: ${list.join(', ')}; wanted at most ${goals[figure]} ms: ${worst <= goals[figure] ? 'met' : 'MISSED'}`,
  )
}

/** As an editor saves: what is read is never half a file. */
function save(text: string): void {
  writeFileSync(`${file}.new`, text)
  renameSync(`${file}.new`, file)
}

function source(round: number): string {
  const lines = Array.from({ length: routes }, (_, i) => {
    const seconds = i === round ? 59 : 1 + (i % 50)
    return `    items${i}: { match: 'GET /api/v1/service-${i}/items/:id', service: 'items', timeout: '${seconds}s' },`
  })
  return `import { defineConfig } from '@gateway/core'

export default defineConfig({
  listen: { port: ${port}, host: '127.0.0.1' },
  services: { items: { targets: ['http://127.0.0.1:9'] } },
  routes: {
${lines.join('\n')}
    added: { match: 'GET /added-${round}', reply: { status: 200 } },
  },
})
`
}

async function untilLive(round: number): Promise<void> {
  const deadline = performance.now() + patienceMs
  while ((await statusOf(`/added-${round}`)) !== 200) {
    if (performance.now() > deadline) throw new Error(`save ${round} is not live after ${patienceMs} ms`)
    await sleep(2)
  }
}

/** Undefined while nobody listens. */
function statusOf(path: string): Promise<number | undefined> {
  return new Promise(resolve => {
    const request = get({ host: '127.0.0.1', port, path, agent }, response => {
      response.resume().on('end', () => resolve(response.statusCode))
    })
    request.on('error', () => resolve(undefined))
  })
}

/** The longest block since it was last asked for, in milliseconds. */
async function blockedMs(): Promise<number> {
  gateway.send('blocked')
  const [ms] = await once(gateway, 'message')
  return Number(ms)
}
