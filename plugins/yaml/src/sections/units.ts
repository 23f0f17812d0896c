import type { Given } from '../table/given.ts'

/** Whole seconds as a duration of the gateway. */
export function inSeconds(given: Given<number> | undefined): Given<string> | undefined {
  return given?.map(seconds => `${seconds}s`)
}

/** The same; zero, and less, asks for the default. */
export function inSecondsOrDefault(given: Given<number> | undefined): Given<string> | undefined {
  return given !== undefined && given.value > 0 ? inSeconds(given) : undefined
}
