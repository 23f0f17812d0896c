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

save(0)
const program = join(import.meta.dirname, '../../core/bin/gateway.js')
const gateway = fork(program, ['start', file, '--watch', '--no-control'], {
  execArgv: ['--import', join(import.meta.dirname, 'reload-probe.ts')],
  stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  cwd: folder,
})
gateway.on('exit', code => {
  if (code !== null) console.log(`the gateway ended with ${code}`)
})
await untilLive(0)
const measured = []
for (let round = 1; round <= saves; round++) {
  // Lints run after a reload, and what the reload left behind is collected.
  await sleep(500)
  await blockedMs()
  const began = performance.now()
  save(round)
  await untilLive(round)
  const live = performance.now() - began
  // Until what follows on a reload is over as well: it blocks no less.
  await sleep(500)
  measured.push({ live, blocked: await blockedMs() })
}
gateway.kill()
agent.destroy()

console.log(
  `one file of ${(source(0).length / 1e6).toFixed(1)} MB, ${routes.toLocaleString('en')} routes, ${saves} saves`,
)
tell('from the save to the first answer', 'live')
tell('longest block of the event loop', 'blocked')

function tell(what: string, figure: keyof typeof goals): void {
  const [early, late] = [measured.slice(0, warmUps), measured.slice(warmUps)].map(part =>
    part.map(round => round[figure]).sort((a, b) => a - b),
  )
  const worst = late?.at(-1) ?? Number.NaN
  const median = late?.[Math.floor(late.length / 2)] ?? Number.NaN
  const goal = goals[figure]
  console.log(
    `${what}: median ${median.toFixed(0)} ms, worst ${worst.toFixed(0)} ms (of the first ${warmUps} saves ${early?.at(-1)?.toFixed(0)} ms); ` +
      `wanted at most ${goal} ms: ${worst <= goal ? 'met' : 'MISSED'}`,
  )
}

/** As an editor saves: what is read is never half a file. */
function save(round: number): void {
  writeFileSync(`${file}.new`, source(round))
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
