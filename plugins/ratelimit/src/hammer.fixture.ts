import { parentPort, workerData } from 'node:worker_threads'
import { type Rate, ticksAt } from './algorithms.ts'
import { checkOf } from './limits.fixture.ts'
import { RateTable } from './rate-table.ts'

/** What a thread is told: to ask again and again by a clock that the threads share and move on. */
export interface Hammer {
  readonly memory: SharedArrayBuffer
  readonly clock: SharedArrayBuffer
  readonly keys: number
  readonly rates: readonly Rate[]
  readonly names: readonly string[]
  readonly fromMs: number
  readonly untilMs: number
}

/** [key, milliseconds] of what was admitted. */
export type Hammered = readonly (readonly [string, number])[]

function run({ memory, clock, keys, rates, names, fromMs, untilMs }: Hammer): Hammered {
  const table = new RateTable(memory, keys)
  const limits = rates.map((rate, index) => ({ rate, hashKey: table.keys.derive(`limit ${index}`) }))
  const ticking = new Int32Array(clock)
  // Nobody begins before all are there.
  Atomics.add(ticking, 1, 1)
  while (Atomics.load(ticking, 1) < 2);
  const admitted: [string, number][] = []
  for (let turn = 0; ; turn++) {
    const ms = Atomics.load(ticking, 0)
    if (ms > untilMs) return admitted
    const name = names[turn % names.length] ?? ''
    const now = ticksAt(fromMs + ms)
    const checks = limits.map(({ rate, hashKey }) => checkOf(rate, hashKey, name))
    if (table.decide(checks, now)) admitted.push([name, ms])
    if (turn % 50 === 49) Atomics.compareExchange(ticking, 0, ms, ms + 1)
  }
}

parentPort?.postMessage(run(workerData as Hammer))
