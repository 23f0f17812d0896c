import { Secret } from '@gateway/core'

const made = new Map<string, Secret>()

/** A secret that was made of what is no secret. The same text gives the same object, so that a reload changes nothing. */
export function derivedSecret(text: string): Secret {
  const known = made.get(text) ?? new Secret('derived', () => text)
  made.set(text, known)
  return known
}
