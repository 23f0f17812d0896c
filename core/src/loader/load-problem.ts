import { findSourceMap } from 'node:module'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Message } from 'esbuild'
import type { Problem } from '../config/problem.ts'

/** A place in a source file; line and column are 1-based. */
export interface SourcePlace {
  file: string
  line: number
  column: number
}

/** Turns a message of esbuild into a problem. `folder` is what its file names are relative to. */
export function fromEsbuild(message: Message, severity: Problem['severity'], folder: string): Problem {
  // A message about a plugin's answer has no place of its own; the note "triggered by this import" has.
  const location = message.location ?? message.notes.find(note => note.location !== null)?.location
  const problem: Problem = { severity, code: codeOf(message, severity), message: message.text }
  if (!location) return problem
  const hint = location.suggestion || message.notes.map(note => note.text).find(text => text.startsWith('Did you mean'))
  if (hint) problem.hint = hint
  return { ...problem, file: resolve(folder, location.file), line: location.line, column: utf16Column(location) }
}

const codes: readonly (readonly [RegExp, string])[] = [
  [/^Could not resolve /, 'CONFIG_IMPORT_NOT_FOUND'],
  [/^No matching export in /, 'CONFIG_IMPORT_NOT_EXPORTED'],
  [/^Importing .* failed: /, 'CONFIG_IMPORT_FAILED'],
  [/^No loader is configured for /, 'CONFIG_IMPORT_UNSUPPORTED'],
]

function codeOf(message: Message, severity: Problem['severity']): string {
  const row = codes.find(([pattern]) => pattern.test(message.text))
  if (row !== undefined) return row[1]
  if (severity === 'error') return 'CONFIG_SYNTAX'
  return message.id === '' ? 'CONFIG_BUNDLE' : `CONFIG_${message.id.replaceAll('-', '_').toUpperCase()}`
}

/** esbuild counts columns from 0 in UTF-8 bytes; editors count UTF-16 units from 1. */
function utf16Column({ lineText, column }: { lineText: string; column: number }): number {
  return Buffer.from(lineText).subarray(0, column).toString().length + 1
}

/** The place in the original source of a position in the compiled bundle. */
export function originalPlace(bundleName: string, line: number, column: number): SourcePlace | undefined {
  const origin = findSourceMap(bundleName)?.findOrigin(line, column)
  if (origin === undefined || !('fileName' in origin) || !origin.fileName?.startsWith('file:')) return undefined
  return { file: fileURLToPath(origin.fileName), line: origin.lineNumber, column: origin.columnNumber }
}

const frame = /(?:\(|at (?:async )?)((?:file:\/\/|[A-Za-z]:[\\/]|\/)[^()]*?):(\d+):(\d+)\)?$/

/**
 * Where an error left the config's own code: the first frame of its stack that lies in the bundle, or in one of its
 * sources when the stack is mapped already.
 */
export function thrownAt(error: unknown, bundleName: string, sources: ReadonlySet<string>): SourcePlace | undefined {
  if (!(error instanceof Error) || typeof error.stack !== 'string') return undefined
  for (const text of error.stack.split('\n')) {
    const [, name, line, column] = frame.exec(text.trimEnd()) ?? []
    if (name === undefined) continue
    const file = name.startsWith('file:') ? fileURLToPath(name) : name
    if (file === bundleName) {
      const place = originalPlace(bundleName, Number(line), Number(column))
      if (place !== undefined) return place
    } else if (sources.has(file)) return { file, line: Number(line), column: Number(column) }
  }
  return undefined
}

/** Describes what a config threw. */
export function thrownProblem(error: unknown, place: SourcePlace | undefined, file: string): Problem {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : `The config threw ${asText(error)}`
  return { severity: 'error', code: 'CONFIG_THREW', message, ...(place ?? { file }) }
}

function asText(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
