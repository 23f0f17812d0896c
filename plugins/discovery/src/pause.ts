import { setTimeout as sleep } from 'node:timers/promises'

/** Holds no process up. Ends early, and does not throw, when the signal is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => {})
}
