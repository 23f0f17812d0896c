import { formatProblem, type Problem } from '../config/problem.ts'
import { maxWorkers } from '../config/schema.ts'
import type { Log } from '../contract/host.ts'
import type { LogLevel } from '../log.ts'
import { defineCommand, UsageError } from './command.ts'
import { configFile, envFileOption } from './config-file.ts'
import { shortName } from './report.ts'
import { type Reporter, serve } from './serve.ts'

const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const satisfies LogLevel[]

export const start = defineCommand({
  details: `SIGTERM and SIGINT stop it: it accepts no more, lets requests end and exits with 0; a second one ends it
at once. SIGHUP reloads the config.`,
  options: {
    port: { type: 'string', value: 'N', help: "Port of the first listener, instead of the config's" },
    host: { type: 'string', value: 'H', help: "Address of the first listener, instead of the config's" },
    'log-level': { type: 'string', value: 'LEVEL', choices: logLevels, help: "Instead of the config's" },
    workers: { type: 'string', value: 'N', help: "Threads that serve, or auto: one a core; instead of the config's" },
    ...envFileOption,
    strict: { type: 'boolean', help: 'Refuse a config with warnings, such as unknown keys in YAML' },
    watch: { type: 'boolean', help: 'Reload when a file of the config is saved' },
    'no-control': { type: 'boolean', help: 'Open no control socket, by which status, reload and explain ask' },
  },
  async run(
    given,
    { port: portText, host, 'log-level': level, workers, 'env-file': envFile, strict, watch, 'no-control': closed },
  ) {
    const port = portText === undefined ? undefined : readPort(portText)
    return serve(configFile(given), {
      logLevel: logLevels.find(known => known === level),
      overrides: { port, host, workers: workers === undefined ? undefined : readWorkers(workers) },
      watch,
      strict,
      envFile,
      control: !closed,
      typeErrors: 'ignore',
      createReporter,
    })
  },
})

function readPort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw new UsageError(`--port must be a number from 0 to 65535, not "${text}"`)
}

function readWorkers(text: string): number | 'auto' {
  if (text === 'auto') return text
  if (/^\d{1,2}$/.test(text) && Number(text) >= 1 && Number(text) <= maxWorkers) return Number(text)
  throw new UsageError(`--workers must be a number from 1 to ${maxWorkers}, or auto, not "${text}"`)
}

/** Everything goes to the log, a line a problem, for whoever collects it. */
function createReporter(log: Log): Reporter {
  const write = (problem: Problem) => {
    const { severity, code, file, line, column } = problem
    log[severity === 'error' ? 'error' : 'warn'](formatProblem(problem), { code, file, line, column })
  }
  const names = (changed: readonly string[]) => (changed.length === 0 ? {} : { changed: changed.map(shortName) })
  return {
    reloaded: ({ changed, ms, generation }) => log.info('reloaded', { generation, ms, ...names(changed) }),
    unchanged: ({ changed, generation }) =>
      log.info('not reloaded, the config says the same', { generation, ...names(changed) }),
    refused({ changed, generation }, problems) {
      for (const problem of problems) write(problem)
      log.error('not reloaded, the old config goes on serving', { generation, ...names(changed) })
    },
    remarks: problems => problems.forEach(write),
  }
}
