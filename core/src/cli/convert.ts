import { existsSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Problem } from '../config/problem.ts'
import { convertConfig, isTranslated } from '../loader/load-translate.ts'
import { defineCommandOf } from './command.ts'
import { envFileOption } from './config-file.ts'
import { inspectConfig } from './inspect-config.ts'
import { PlainFailure } from './plain-failure.ts'
import { hasErrors, sortProblems } from './problems.ts'
import { count, printProblems, shortName } from './report.ts'

export const convert = defineCommandOf('FILE', {
  details: `FILE is YAML. What is written does what FILE does, reads the environment variables that FILE names, and keeps its
comments. What cannot be carried over is listed, and nothing is written. What the environment lays over FILE
(GATEWAY_GATEWAY_...) is no part of it.`,
  options: {
    out: { type: 'string', short: 'o', value: 'OUT', help: 'Where to write to; default: standard output' },
    force: {
      type: 'boolean',
      help: 'Leave a comment, NOT CONVERTED, where something cannot be carried over; overwrite OUT',
    },
    ...envFileOption,
  },
  async run([given = ''], { out, force, 'env-file': envFile }) {
    const file = resolve(given)
    if (!isTranslated(file)) throw new PlainFailure(`${given} is no YAML: what ends in .yaml or .yml can be converted`)
    if (out !== undefined && existsSync(out) && !force) throw new PlainFailure(`${out} exists: --force overwrites it`)
    const { model, problems } = await inspectConfig(file, envFile)
    if (model === undefined || hasErrors(problems)) {
      printProblems(problems, process.stderr)
      return 1
    }
    const { code, lost } = await convertConfig(file, dirname(resolve(out ?? file)))
    const severity = force ? 'warning' : 'error'
    const told = sortProblems(lost.map((problem): Problem => ({ ...problem, severity })))
    printProblems(told, process.stderr)
    if (code === undefined || hasErrors(told)) {
      const places = count(told.length, 'place')
      process.stderr.write(`${places} cannot be carried over: --force leaves a comment at each\n`)
      return 1
    }
    if (out === undefined) process.stdout.write(code)
    else {
      writeFileSync(out, code)
      process.stderr.write(`${shortName(resolve(out))} is written; gateway check ${out} tries it\n`)
    }
    return 0
  },
})
