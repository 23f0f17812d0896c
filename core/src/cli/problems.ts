import { ConfigProblems, type Problem } from '../config/problem.ts'
import { GatewayError } from '../contract/errors.ts'
import { realPath } from '../loader/load-resolve.ts'
import { locate } from '../loader/locate.ts'
import { compareText } from '../routing/endpoint.ts'

/** Gives problems that only know their path into the config the place where that is written. */
export function placeProblems(problems: readonly Problem[], file: string): Problem[] {
  const placed = problems.map(problem => {
    const { path, code } = problem
    if (problem.file !== undefined) return problem
    const place = path && locate(file, path, code === 'CONFIG_UNKNOWN_KEY' ? 'key' : 'value')
    return { ...problem, ...(place ?? { file }) }
  })
  // What is written once may stand in several routes, and is to be mended once.
  const seen = new Set<string>()
  return placed.filter(({ code, message, file, line, column }) => {
    const key = `${file}:${line}:${column} ${code} ${message}`
    return line === undefined || (!seen.has(key) && seen.add(key))
  })
}

/**
 * What loading and checking found, and what the compiler found, without what both say: of a problem of the config and
 * a type error that is the same mistake the former stays, whose message knows what a gateway is.
 */
export function mergeProblems(found: readonly Problem[], types: readonly Problem[], file: string): Problem[] {
  // A file that does not parse has no types; what the compiler says about it is the same mistake in other words.
  if (found.some(problem => problem.code === 'CONFIG_SYNTAX')) return sortProblems(found)
  const errors = found.filter(problem => problem.severity === 'error')
  const lines = new Set(errors.map(lineOf))
  const blamed = blamedKeys(errors, types, file)
  const isKnown = (problem: Problem) => lines.has(lineOf(problem)) || (blames(problem) && blamed.has(placeOf(problem)))
  return sortProblems([...found, ...types.filter(problem => !isKnown(problem))])
}

// The compiler names files by their real paths.
const lineOf = ({ file, line }: Problem) => `${file && realPath(file)}:${line}`
const placeOf = (problem: Problem) => `${lineOf(problem)}:${problem.column}`

/** The key that an object may not have, in the compiler's words. */
function blames({ code, message }: Problem): string | undefined {
  return /^TS(?:2353|2561)$/.test(code) ? /'([^']+)' does not exist in type/.exec(message)?.[1] : undefined
}

/**
 * Where keys stand that the compiler may blame for an error elsewhere in the same route or service: when an object fits
 * no member of a union, it picks one, and a key that this one lacks, rightly written though it be.
 */
function blamedKeys(errors: readonly Problem[], types: readonly Problem[], file: string): Set<string> {
  const keys = new Set(types.flatMap(problem => blames(problem) ?? []))
  if (keys.size === 0) return keys
  const entries = new Map(
    errors.flatMap(({ path = [] }) => (path.length < 2 ? [] : [[path.slice(0, 2).join('\0'), path.slice(0, 2)]])),
  )
  const places = [...entries.values()].flatMap(entry =>
    [...keys].flatMap(key => locate(file, [...entry, key], 'key') ?? []),
  )
  return new Set(places.map(({ file, line, column }) => `${realPath(file)}:${line}:${column}`))
}

/** By place; what has none comes first. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  return problems.toSorted(
    (a, b) =>
      compareText(a.file ?? '', b.file ?? '') || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  )
}

export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some(problem => problem.severity === 'error')
}

/** What kept the kernel from taking a config, as problems. */
export function problemsOf(error: unknown, file: string): Problem[] {
  if (error instanceof ConfigProblems) return sortProblems(placeProblems(error.problems, file))
  const severity = 'error'
  if (error instanceof GatewayError) {
    const path = error.source === 'config' ? ['listen'] : undefined
    const problem = {
      severity,
      code: error.code,
      message: error.message,
      ...(path === undefined ? {} : { path }),
    } as const
    return placeProblems([problem], file)
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return [{ severity, code: 'GATEWAY_INTERNAL', message, file }]
}
