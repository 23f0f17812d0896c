import { ok, strictEqual } from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { openNow, processListeners, until, watchOpened } from './open-handles.ts'
import { generationsHeld, type TestGateway } from './test-gateway.ts'

export interface LeakOptions {
  /** Default 100. */
  readonly reloads?: number
  /** The config of each reload, counted from 0, which has to differ from the one before. Default: the one that serves, with another drain time. */
  readonly config?: (round: number) => unknown
  /** Runs after each reload, to send what requests there are. */
  readonly between?: (gateway: TestGateway) => Promise<unknown>
  /** Bytes that a reload may leave on the heap; besides there is 1 MB for all of them together. Default 8,192. */
  readonly heapPerReload?: number
  /** Milliseconds that what was replaced may take to close. Default 2,000. */
  readonly settleMs?: number
}

/**
 * Reloads a gateway again and again and looks for what piles up: generations that something still holds, timers, sockets
 * and the like, listeners of the process, shared state, and memory. Needs no flag of Node's.
 *
 * @throws AssertionError that names what is left.
 */
export async function expectNoLeak(gateway: TestGateway, options: LeakOptions = {}): Promise<void> {
  const { reloads = 100, between, heapPerReload = 8_192, settleMs = 2_000 } = options
  // What says the same would not be taken over.
  const { config = round => ({ ...Object(gateway.config), drainTimeout: 30_001 + round }) } = options

  async function reload(from: number, to: number): Promise<void> {
    for (let number = from; number < to; number++) {
      const { changed } = await gateway.reload(config(number))
      ok(changed, `config(${number}) says the same as the one before, and was not taken over`)
      await between?.(gateway)
    }
    await until(() => gateway.generations.length === 1, settleMs)
  }

  await watchOpened(async () => {
    // What the generation before has opened was not watched; and the first rounds fill caches.
    const warm = Math.min(10, reloads)
    await reload(0, warm)
    const opened = await openNow(0)
    const listeners = processListeners()
    const shared = gateway.shared.join()
    const heap = await heapUsed()
    const held = generationsHeld(gateway)

    await reload(warm, warm + reloads)
    strictEqual(gateway.generations.length, 1, `generations did not end within ${settleMs} ms`)
    strictEqual(await openNow(settleMs, opened), opened, 'reloads pile up what they open')
    strictEqual(processListeners(), listeners, 'reloads pile up listeners of the process')
    strictEqual(gateway.shared.join(), shared, 'what is shared changed')
    const grown = (await heapUsed()) - heap
    const kept = generationsHeld(gateway) - held
    ok(kept <= 0, `something, such as a variable of a plugin's module, still holds ${kept} generations of ${reloads}`)
    const allowed = reloads * heapPerReload + 2 ** 20
    ok(grown <= allowed, `${reloads} reloads left ${grown} bytes on the heap, of which ${allowed} are allowed`)
  })
}

/** Bytes, of what something holds. */
async function heapUsed(): Promise<number> {
  // Unless Node was started with it, the function is there for contexts that are made from now on.
  setFlagsFromString('--expose-gc')
  const collect: unknown = globalThis.gc ?? runInNewContext('gc')
  if (typeof collect !== 'function') throw new TypeError('this Node cannot be told to collect garbage')
  // What a weak reference was made of, or was asked for, lives on until its turn of the event loop is over.
  for (let times = 0; times < 2; times++) {
    await nextTurn()
    collect()
  }
  return process.memoryUsage().heapUsed
}
