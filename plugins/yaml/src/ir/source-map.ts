import { dirname, relative } from 'node:path'
import type { Spot } from '../read/node.ts'

/** Where a piece of the printed text comes from; line and column are 0-based. */
export interface Mark {
  readonly line: number
  readonly column: number
  readonly at: Spot
}

export interface SourceMap {
  readonly version: 3
  readonly sources: string[]
  readonly names: string[]
  readonly mappings: string
}

/** A source map (ECMA-426) of marks in the order of the text. Its sources are relative to the folder of `file`. */
export function sourceMap(marks: readonly Mark[], file: string): SourceMap {
  const sources = new Map<string, number>()
  const mappings: string[] = []
  let before = { line: 0, column: 0, source: 0, sourceLine: 0, sourceColumn: 0 }
  for (const { line, column, at } of marks) {
    const { source, offset } = at
    if (!sources.has(source.file)) sources.set(source.file, sources.size)
    const place = source.place(offset)
    const here = {
      line,
      column,
      source: sources.get(source.file) ?? 0,
      sourceLine: place.line - 1,
      sourceColumn: place.column - 1,
    }
    const isNew = line > before.line
    mappings.push(
      isNew ? ';'.repeat(line - before.line) : mappings.length === 0 ? '' : ',',
      // Columns count anew in each line, all else goes on.
      vlq(column - (isNew ? 0 : before.column)),
      vlq(here.source - before.source),
      vlq(here.sourceLine - before.sourceLine),
      vlq(here.sourceColumn - before.sourceColumn),
    )
    before = here
  }
  const folder = dirname(file)
  return {
    version: 3,
    sources: [...sources.keys()].map(path => encodeURI(relative(folder, path))),
    names: [],
    mappings: mappings.join(''),
  }
}

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Base64 VLQ: the sign in the lowest bit, five bits a digit, the lowest first, with a bit that says that more follow. */
function vlq(value: number): string {
  let rest = value < 0 ? (-value << 1) | 1 : value << 1
  let text = ''
  do {
    const digit = rest & 31
    rest >>>= 5
    text += digits[rest > 0 ? digit | 32 : digit]
  } while (rest > 0)
  return text
}
