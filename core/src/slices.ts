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

/** Steps of a microsecond between two looks at the clock, which costs a tenth of that. */
const stepsPerLook = 16

/** Does the work a few milliseconds at a time, with turns of the event loop between: requests go on meanwhile. */
export async function inSlices<T>(work: Sliced<T>): Promise<T> {
  const pace = createPace()
  for (let steps = 1; ; steps++) {
    const step = work.next()
    if (step.done === true) return step.value
    if (steps % stepsPerLook !== 0) continue
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
