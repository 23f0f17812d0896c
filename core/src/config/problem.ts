import { relative } from 'node:path'

/**
 * Something wrong with a config, as a value: problems are collected and shown together, not thrown one by one.
 * `code` is stable and UPPER_SNAKE (`CONFIG_UNKNOWN_KEY`, or TypeScript's own `TS2322`).
 */
export interface Problem {
  severity: 'error' | 'warning'
  code: string
  message: string
  /** Path into the config, e.g. `['routes', 'getUser', 'service']`. */
  path?: readonly (string | number)[]
  /** Absolute path of the source file. */
  file?: string
  /** 1-based. */
  line?: number
  /** 1-based, in UTF-16 code units. */
  column?: number
  hint?: string
}

/** Carries problems where an exception is needed. The message lists them, one a line. */
export class ConfigProblems extends Error {
  override readonly name = 'ConfigProblems'
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    const errors = problems.filter(problem => problem.severity === 'error').length
    const count = errors === 1 ? '1 error' : `${errors} errors`
    super(`The config has ${count}:\n${problems.map(problem => formatProblem(problem)).join('\n')}`)
    this.problems = problems
  }
}

/** `file:line:col severity CODE message (path)`, the file relative to the current folder; a hint follows on a line of its own. */
export function formatProblem(problem: Problem): string {
  const { severity, code, message, path, hint } = problem
  const where = formatPlace(problem)
  const text = `${where === '' ? '' : `${where} `}${severity} ${code} ${message}`
  const withPath = path === undefined || path.length === 0 ? text : `${text} (${formatPath(path)})`
  return hint === undefined ? withPath : `${withPath}\n  ${hint}`
}

function formatPlace({ file, line, column }: Problem): string {
  if (file === undefined) return ''
  const short = relative(process.cwd(), file)
  // A path that climbs out of the current folder is easier to find written in full.
  const name = short === '' || short.startsWith('..') ? file : short
  if (line === undefined) return name
  return column === undefined ? `${name}:${line}` : `${name}:${line}:${column}`
}

const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u

/** Writes a config path as JavaScript would: `routes.getUser.jwt.scopes[1]`, `services["my-api"]`. */
export function formatPath(path: readonly (string | number)[]): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else if (!identifier.test(part)) text += `[${JSON.stringify(part)}]`
    else text += text === '' ? part : `.${part}`
  }
  return text
}

/**
 * "Did you mean": the candidate nearest to the word, or undefined when none is near. A third of the word's length may
 * differ, at least one and at most three edits; a difference in case alone always counts as near.
 */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  const lower = word.toLowerCase()
  let best: string | undefined
  let bestDistance = Math.min(3, Math.max(1, Math.floor(word.length / 3))) + 1
  for (const candidate of candidates) {
    const other = candidate.toLowerCase()
    if (candidate === word || Math.abs(other.length - lower.length) >= bestDistance) continue
    const distance = editDistance(lower, other)
    // Replacing every letter is no likeness: `ab` is not a typo of `c`.
    if (distance < bestDistance && distance < Math.max(lower.length, other.length)) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Damerau-Levenshtein in its optimal string alignment form: insert, delete, replace, swap neighbours. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      let cost = Math.min(
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + (same ? 0 : 1),
      )
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, at(before, column - 2) + 1)
      }
      current.push(cost)
    }
    before = previous
    previous = current
  }
  return at(previous, b.length)
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY
}
