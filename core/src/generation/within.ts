import type { Awaitable } from '../contract/hooks.ts'
import { isThenable } from '../exchange/plugin-failure.ts'

/** What was promised; rejects when that takes longer than `ms`, and then what comes of it later is disregarded. */
export async function within<T>(ms: number, promised: Awaitable<T>): Promise<T> {
  if (!isThenable(promised)) return promised
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`it has not ended within ${ms} ms (setupTimeout)`)), ms)
  return Promise.race([promised, late.promise]).finally(() => clearTimeout(timer))
}
