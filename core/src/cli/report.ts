import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { styleText } from 'node:util'
import { formatProblem, type Problem } from '../config/problem.ts'
import { codeFrame } from './code-frame.ts'

type Output = NodeJS.WriteStream

/** One line a problem, its hint below it; in colour where the output is a terminal that wants it (NO_COLOR). */
export function printProblems(problems: readonly Problem[], output: Output): void {
  for (const problem of problems) output.write(`${paint(problem, output)}\n`)
}

/** The same, each with the lines of source around it. */
export function printFrames(problems: readonly Problem[], output: Output): void {
  for (const problem of problems) {
    const frame = frameOf(problem, output)
    output.write(`\n${paint(problem, output)}\n${frame === '' ? '' : `${frame}\n`}`)
  }
  output.write('\n')
}

function frameOf({ code, file, line, column }: Problem, output: Output): string {
  // The line of a secret would show it.
  if (file === undefined || line === undefined || code.startsWith('CONFIG_SECRET_')) return ''
  try {
    return codeFrame(readFileSync(file, 'utf8'), line, column ?? 1, { color: hasColours(output) })
  } catch {
    // Gone since it was checked; the problem speaks for itself.
    return ''
  }
}

function paint(problem: Problem, output: Output): string {
  const { severity, code } = problem
  const colour = severity === 'error' ? 'red' : 'yellow'
  return formatProblem(problem).replace(
    `${severity} ${code}`,
    `${styleText(colour, severity, { stream: output })} ${code}`,
  )
}

export function hasColours(output: Output): boolean {
  return styleText('red', '-', { stream: output }) !== '-'
}

/** `5 errors, 1 warning` */
export function countProblems(problems: readonly Problem[]): string {
  const errors = problems.filter(problem => problem.severity === 'error').length
  const warnings = problems.length - errors
  const parts = [errors > 0 ? count(errors, 'error') : '', warnings > 0 ? count(warnings, 'warning') : '']
  return parts.filter(part => part !== '').join(', ') || 'no problems'
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/** As a person in the current folder would name it. */
export function shortName(file: string): string {
  const name = relative(process.cwd(), file)
  return name === '' || name.startsWith('..') ? file : name
}
