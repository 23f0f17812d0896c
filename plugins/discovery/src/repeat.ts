import { AnswerError } from './http-api.ts'
import { pause } from './pause.ts'

/** Milliseconds before a source that failed is asked again: at most the first, doubled at each failure that follows, to the last. */
const backOff = { first: 200, last: 30_000 }
/** A source may ask for more patience, but for no more than this, in milliseconds. */
const longestRetryAfter = 120_000

/**
 * Asks again and again until the signal is aborted. After a failure it waits, by full jitter, so that all who lost the same
 * source do not come back at once; `ask` calls `succeeded` when the source is well again. `failed` hears how many failures
 * there were since.
 */
export async function repeat(
  signal: AbortSignal,
  ask: (succeeded: () => void) => Promise<void>,
  failed: (error: unknown, failures: number) => void,
): Promise<void> {
  let failures = 0
  while (!signal.aborted) {
    try {
      await ask(() => {
        failures = 0
      })
    } catch (error) {
      if (signal.aborted) return
      failed(error, ++failures)
      const wait = Math.random() * Math.min(backOff.last, backOff.first * 2 ** (failures - 1))
      const asked = error instanceof AnswerError ? Math.min(error.retryAfter, longestRetryAfter) : 0
      // Whoever was told the same time comes a little later than the others.
      await pause(asked + wait, signal)
    }
  }
}
