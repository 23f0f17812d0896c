import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Program } from 'oxc-parser'
import type { SourcePlace } from './load-problem.ts'
import { translationOf } from './load-translate.ts'

/** A parsed source file. */
export interface Source {
  readonly file: string
  readonly text: string
  readonly program: Program
  /** Of code that a file was translated into, where its places, 1-based, were written. */
  readonly origin?: ((line: number, column: number) => SourcePlace | undefined) | undefined
}

const require = createRequire(import.meta.url)
/** Weak: trees are large, and wanted only while one report is written. */
const parsed = new Map<string, { text: string; source: WeakRef<Source> }>()

/** Parses a file, or returns the tree of before when its content is the same; undefined when it cannot be read. */
export function parseSource(file: string): Source | undefined {
  const translated = translationOf(file)
  const text = translated?.code ?? readText(file)
  if (text === undefined) return undefined
  const known = parsed.get(file)
  const source = known?.text === text ? known.source.deref() : undefined
  if (source !== undefined) return source
  // Loaded at the first problem: a gateway whose config is right never needs a parser.
  const { parseSync }: typeof import('oxc-parser') = require('oxc-parser')
  const program = parseSync(translated === undefined ? file : `${file}.js`, text).program
  const fresh: Source = { file, text, program, origin: translated?.origin }
  parsed.set(file, { text, source: new WeakRef(fresh) })
  return fresh
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
