type Claims = Readonly<Record<string, unknown>>

/** A claim by its name, or by a path such as `realm_access.roles`. A claim whose very name has dots goes first. */
export function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path]
  let at: unknown = claims
  for (const part of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined
    at = Reflect.get(at, part)
  }
  return at
}

/** A list as claims have it: an array, or words with spaces between them (RFC 6749 section 3.3). */
export function wordsOf(value: unknown): string[] {
  if (typeof value === 'string') return value.split(' ').filter(word => word !== '')
  if (Array.isArray(value)) return value.filter(item => typeof item === 'string' && item !== '')
  return []
}
