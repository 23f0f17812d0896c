import type { Problem } from '../config/problem.ts'
import { locate } from './locate.ts'

/** What a translation has told, and what else was found in its code: of one line, the translation knew better. */
export function withoutRepeats(told: readonly Problem[], found: readonly Problem[], file: string): Problem[] {
  const errors = told.filter(({ severity }) => severity === 'error')
  const lines = new Set(errors.map(problem => `${problem.file}:${problem.line}`))
  const placed = found.map(problem => ({
    ...problem,
    ...(problem.path && locate(file, problem.path, problem.code === 'CONFIG_UNKNOWN_KEY' ? 'key' : 'value')),
  }))
  return [...told, ...placed.filter(problem => !lines.has(`${problem.file}:${problem.line}`))]
}
