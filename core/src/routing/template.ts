import type { PatternError } from './host.ts'
import { type Pattern, readSegments } from './pattern.ts'

/** A path to be made from a pattern's parameters: `/v2/users/:id/*`. */
export interface Template {
  readonly text: string
  /** Literal text, and the indexes of parameters in `pattern.params`. */
  readonly parts: readonly (string | number)[]
}

/**
 * Reads a template, in the grammar of patterns, for the parameters of `pattern`; one may stand in it several times.
 * A parameter that the pattern lacks is named in `unknown`, for the caller to suggest another.
 */
export function parseTemplate(
  text: string,
  pattern: Pattern,
): Template | (PatternError & { readonly unknown?: string }) {
  const read = readSegments(text)
  if ('error' in read) return read
  const parts: (string | number)[] = []
  let literal = ''
  let at = 0
  for (const segment of [...read.segments, ...(read.wildcard ? [{ param: '*', text: '*' }] : [])]) {
    literal += '/'
    at++
    if (segment.param === undefined) {
      literal += segment.text
    } else {
      const index = pattern.params.indexOf(segment.param)
      if (index === -1) {
        const name = segment.param === '*' ? '"/*" at its end' : `parameter ":${segment.param}"`
        return { error: `"${pattern.text}" has no ${name}`, at, unknown: segment.param }
      }
      parts.push(literal, index)
      literal = ''
    }
    at += segment.text.length
  }
  if (literal !== '') parts.push(literal)
  return { text, parts }
}

/**
 * The path. `raw` holds the parameters as {@link rawParams} returns them: still percent-encoded, so that no value can
 * add a segment, end the path or climb.
 */
export function fillTemplate(template: Template, raw: readonly string[]): string {
  let path = ''
  for (const part of template.parts) path += typeof part === 'string' ? part : (raw[part] ?? '')
  return path
}
