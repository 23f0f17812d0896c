import { parentPort, workerData } from 'node:worker_threads'
import { type Rate, ticksAt } from './algorithms.ts'
import { ConcurrencyTable } from './concurrency-table.ts'
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
  readonly places: SharedArrayBuffer
  readonly worker: number
}

/** [key, milliseconds] of what was admitted, and the most that were ever under way at once. */
export interface Hammered {
  readonly admitted: readonly (readonly [string, number])[]
  readonly mostUnderWay: number
}

export const placesLimit = 3

function run({ memory, clock, keys, rates, names, fromMs, untilMs, places, worker }: Hammer): Hammered {
  const table = new RateTable(memory, keys)
  const limits = rates.map((rate, index) => ({ rate, hashKey: table.keys.derive(`limit ${index}`) }))
  const ticking = new Int32Array(clock)
  const underWay = new ConcurrencyTable(places, 64, worker)
  const place = underWay.keys.derive('places')
  // Nobody begins before all are there.
  Atomics.add(ticking, 1, 1)
  while (Atomics.load(ticking, 1) < 2);
  const admitted: [string, number][] = []
  let mostUnderWay = 0
  for (let turn = 0; ; turn++) {
    const ms = Atomics.load(ticking, 0)
    if (ms > untilMs) return { admitted, mostUnderWay }
    const name = names[turn % names.length] ?? ''
    const now = ticksAt(fromMs + ms)
    const checks = limits.map(({ rate, hashKey }) => checkOf(rate, hashKey, name))
    if (table.decide(checks, now)) admitted.push([name, ms])
    const held = [1, 2].map(() => underWay.acquire(place, 'one', placesLimit)).filter(slot => slot >= 0)
    mostUnderWay = Math.max(mostUnderWay, Atomics.add(ticking, 2, held.length) + held.length)
    Atomics.sub(ticking, 2, held.length)
    for (const slot of held) underWay.release(slot)
    if (turn % 50 === 49) Atomics.compareExchange(ticking, 0, ms, ms + 1)
  }
}

parentPort?.postMessage(run(workerData as Hammer))
