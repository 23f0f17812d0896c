import { parseArgs } from 'node:util'
import { soak } from './soak.ts'

const usage = `node test/soak/main.ts [--minutes N] [--seed S] [--clients N]

Drives a gateway in a process of its own for N minutes (default 10) with mixed HTTP/1.1, TLS and HTTP/2 traffic: aborts,
resets, slow readers and writers at both ends, a reload every 2 seconds. Ends with what is left of it, and with 1 when
that is anything, or when an answer was wrong. So many clients at a time: 16.`

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Math.trunc(Math.random() * 2 ** 31)) },
    clients: { type: 'string', default: '16' },
    help: { type: 'boolean', default: false },
  },
})
const ms = Number(values.minutes) * 60_000
const seed = Number(values.seed)
const clients = Number(values.clients)
if (values.help || !(ms > 0) || !Number.isInteger(seed) || !(clients > 0)) {
  console.error(usage)
  process.exit(values.help ? 0 : 2)
}

console.log(`seed ${seed}`)
const { done, reloads, held, faults } = await soak({
  ms,
  seed,
  clients,
  reloadMs: 2_000,
  onProgress: line => console.log(line),
})
console.table(done)
console.log(`${reloads} reloads`)
console.table(held)
for (const fault of faults.slice(0, 20)) console.error(fault)
if (faults.length > 20) console.error(`and ${faults.length - 20} more`)
// Now: sockets of clients that gave up in a bad moment would keep this process, which is not the one that is measured.
process.exit(faults.length > 0 || held.some(({ ok }) => !ok) ? 1 : 0)
