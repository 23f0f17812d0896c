import { setImmediate as nextTurn } from 'node:timers/promises'

/** Work that may be interrupted: it yields wherever the event loop could have a turn. */
export type Sliced<T> = Generator<undefined, T, undefined>

/** Does the work at one go. */
export function whole<T>(work: Sliced<T>): T {
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}

/** Items of a microsecond between two yields: each is an object, and a look at the clock for whoever works in slices. */
const itemsPerYield = 16

/** Calls `visit` with each item, in work that may be interrupted. */
export function* each<T>(items: Iterable<T>, visit: (item: T, place: number) => void): Sliced<void> {
  let place = 0
  for (const item of items) {
    visit(item, place++)
    if (place % itemsPerYield === 0) yield
  }
}

/** Does the work a few milliseconds at a time, with turns of the event loop between: requests go on meanwhile. */
export async function inSlices<T>(work: Sliced<T>): Promise<T> {
  const pace = createPace()
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
    const pause = pace()
    if (pause !== undefined) await pause
  }
}

/** For loops that wait for things themselves and `await pace()` each time: it is undefined while there is time left. */
export function createPace(sliceMs = 4): () => Promise<void> | undefined {
  let end = performance.now() + sliceMs
  return () => {
    if (performance.now() < end) return undefined
    return nextTurn().then(() => {
      end = performance.now() + sliceMs
    })
  }
}
