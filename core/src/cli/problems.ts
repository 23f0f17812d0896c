import { locate } from '../config/locate.ts'
import { ConfigProblems, type Problem } from '../config/problem.ts'
import { GatewayError } from '../contract/errors.ts'

/** Gives problems that only know their path into the config the place where that is written. */
export function placeProblems(problems: readonly Problem[], file: string): Problem[] {
  return problems.map(problem => {
    const { path, code } = problem
    if (problem.file !== undefined) return problem
    const place = path && locate(file, path, code === 'CONFIG_UNKNOWN_KEY' ? 'key' : 'value')
    return { ...problem, ...(place ?? { file }) }
  })
}

/**
 * What loading and checking found, and what the compiler found, without what both say: of a problem of the config and
 * a type error on one line, the former stays, whose message knows what a gateway is.
 */
export function mergeProblems(found: readonly Problem[], types: readonly Problem[]): Problem[] {
  // A file that does not parse has no types; what the compiler says about it is the same mistake in other words.
  if (found.some(problem => problem.code === 'CONFIG_SYNTAX')) return sortProblems(found)
  const lineOf = ({ file, line }: Problem) => `${file}:${line}`
  const known = new Set(found.filter(problem => problem.severity === 'error').map(lineOf))
  return sortProblems([...found, ...types.filter(problem => !known.has(lineOf(problem)))])
}

/** By place; what has none comes first. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  return problems.toSorted(
    (a, b) =>
      compareText(a.file ?? '', b.file ?? '') ||
      (a.line ?? 0) - (b.line ?? 0) ||
      (a.column ?? 0) - (b.column ?? 0),
  )
}

const compareText = (a: string, b: string) => (a < b ? -1 : Number(a > b))

export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some(problem => problem.severity === 'error')
}

/** What kept the kernel from taking a config, as problems. */
export function problemsOf(error: unknown, file: string): Problem[] {
  if (error instanceof ConfigProblems) return sortProblems(placeProblems(error.problems, file))
  const severity = 'error'
  if (error instanceof GatewayError) {
    const path = error.source === 'config' ? ['listen'] : undefined
    const problem = { severity, code: error.code, message: error.message, ...(path === undefined ? {} : { path }) } as const
    return placeProblems([problem], file)
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return [{ severity, code: 'GATEWAY_INTERNAL', message, file }]
}
