import type { Model } from '../config/model.ts'
import { typecheck } from '../loader/typecheck.ts'
import { defineCommand } from './command.ts'
import { configFile, envFileOption } from './config-file.ts'
import { inspectConfig } from './inspect-config.ts'
import { hasErrors, mergeProblems } from './problems.ts'
import { count, countProblems, printProblems, shortName } from './report.ts'

export const check = defineCommand({
  details: `One line a problem on standard output: file:line:col severity CODE message. When nothing else is wrong,
plugins are set up as at a start, and taken down again; what they connect to is connected to. No port is opened.`,
  options: {
    ...envFileOption,
    'no-setup': { type: 'boolean', help: 'Set no plugin up: what only their set-up can find is not found' },
    strict: { type: 'boolean', help: 'Fail on warnings, too' },
    json: { type: 'boolean', help: 'Print the problems as a JSON array' },
  },
  async run(given, { 'no-setup': offline, strict, json, 'env-file': envFile }) {
    const file = configFile(given)
    const typing = typecheck(file)
    const { model, variables, problems: found, lint, setUp } = await inspectConfig(file, envFile)
    const failed = offline ? [] : await setUp()
    const problems = mergeProblems([...found, ...failed, ...(await lint())], await typing, file)
    if (json) process.stdout.write(`${JSON.stringify(problems, undefined, 2)}\n`)
    else {
      printProblems(problems, process.stdout)
      process.stderr.write(
        `${summary(file, hasErrors(problems) ? undefined : model, variables, countProblems(problems))}\n`,
      )
    }
    return hasErrors(problems) || (strict && problems.length > 0) ? 1 : 0
  },
})

function summary(file: string, model: Model | undefined, variables: readonly string[], problems: string): string {
  if (model === undefined) return problems
  const { routes, services, plugins } = model
  const parts = [count(routes.length, 'route'), count(services.length, 'service'), count(plugins.length, 'plugin')]
  const fine = problems === 'no problems' ? 'is fine' : `has ${problems}`
  const reads = variables.length === 0 ? '' : `; reads ${variables.toSorted().join(', ')}`
  return `${shortName(file)} ${fine}: ${parts.join(', ')}${reads}`
}
