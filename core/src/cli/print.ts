import type { Model } from '../config/model.ts'
import { redact } from '../control/redact.ts'
import { defineCommand } from './command.ts'
import { configFile, envFileOption } from './config-file.ts'
import { inspectConfig } from './inspect-config.ts'
import { printProblems } from './report.ts'

export const print = defineCommand({
  details: 'Defaults are filled in, durations are milliseconds, sizes are bytes, secrets are redacted.',
  options: envFileOption,
  async run(given, { 'env-file': envFile }) {
    const { model, problems } = await inspectConfig(configFile(given), envFile)
    if (model === undefined) {
      printProblems(problems, process.stderr)
      return 1
    }
    process.stdout.write(`${JSON.stringify(redact(printable(model)), undefined, 2)}\n`)
    return 0
  },
})

/** Without what the gateway derives for itself: the compiled pattern of a path and the code of a plugin. */
function printable({ plugins, routes, ...rest }: Model): unknown {
  return {
    ...rest,
    plugins: plugins.map(({ name, definition, options }) => ({ name, stage: definition.stage ?? 'shape', options })),
    routes: routes.map(({ pattern: _pattern, timeoutsFrom: _from, ...route }) => route),
  }
}
