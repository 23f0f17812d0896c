import type { Reference } from './node.ts'

const reference = /\$(?:\$(?=\{)|\{([A-Za-z_]\w*)(?::-([^}]*))?\})/g

/** A text in the pieces that it is made of. */
export function piecesOf(written: string): readonly (string | Reference)[] {
  const pieces: (string | Reference)[] = []
  let end = 0
  for (const match of written.matchAll(reference)) {
    const [whole, name, fallback] = match
    pieces.push(written.slice(end, match.index) + (name === undefined ? '$' : ''))
    if (name !== undefined) pieces.push({ name, fallback })
    end = match.index + whole.length
  }
  return [...pieces, written.slice(end)]
}

export interface Expanded {
  readonly text: string
  readonly references: readonly Reference[]
}

/**
 * Puts environment variables in the place of `${NAME}` and `${NAME:-fallback}`; `$${` writes `${`. A variable that is empty
 * counts as not set. What is neither set nor has a fallback goes to `missing`, and stays as it is.
 */
export function expand(
  written: string,
  variable: (name: string) => string | undefined,
  missing: (name: string) => void,
): Expanded {
  if (!written.includes('${')) return { text: written, references: [] }
  const references: Reference[] = []
  const text = written.replace(reference, (whole, name: string | undefined, fallback: string | undefined) => {
    if (name === undefined) return '$'
    references.push({ name, fallback })
    const value = variable(name) ?? fallback
    if (value === undefined) missing(name)
    return value ?? whole
  })
  return { text, references }
}
