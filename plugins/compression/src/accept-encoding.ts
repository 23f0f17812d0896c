import type { Coding } from './options.ts'

/**
 * The coding that a client prefers among those offered (RFC 9110 section 12.5.3), of equals the first; undefined: none of
 * them, or the body as it is, is what it likes best. Without the field nothing is known of the client, and nothing is done.
 */
export function chooseCoding(field: string | undefined, offered: readonly Coding[]): Coding | undefined {
  if (field === undefined) return undefined
  const weights = new Map<string, number>()
  for (const item of field.toLowerCase().split(',')) {
    const [, name = '', weight = '1'] =
      /^[\t ]*([^\t ;]+)[\t ]*(?:;[\t ]*q=([01](?:\.\d{0,3})?)[\t ]*)?$/.exec(item) ?? []
    // The old names (section 8.4.1.3).
    if (name !== '') weights.set(name === 'x-gzip' ? 'gzip' : name, Number(weight))
  }
  const others = weights.get('*') ?? 0
  let chosen: Coding | undefined
  let best = weights.get('identity') ?? 0
  for (const coding of offered) {
    const weight = weights.get(coding) ?? others
    // Nobody who takes a coding as gladly as none means the longer one.
    if (weight > best || (chosen === undefined && weight === best && weight > 0)) {
      chosen = coding
      best = weight
    }
  }
  return chosen
}
