import { Secret } from '@gateway/core'

// Of the process: a config's code, and this with it, may be loaded anew at each reload.
const place = Symbol.for('@gateway/yaml derived secrets')

/** A secret that was made of what is no secret. The same text gives the same object, so that a reload changes nothing. */
export function derivedSecret(text: string): Secret {
  const known: unknown = Reflect.get(globalThis, place)
  const made: Map<unknown, unknown> = known instanceof Map ? known : new Map()
  Reflect.set(globalThis, place, made)
  const before = made.get(text)
  if (before instanceof Secret) return before
  const secret = new Secret('derived', () => text)
  made.set(text, secret)
  return secret
}
