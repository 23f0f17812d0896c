import { randomUUID } from 'node:crypto'
import { stdout } from 'node:process'
import type { Model } from '../config/model.ts'
import type { Log } from '../contract/host.ts'
import { serialiseModel } from '../control/serialise-model.ts'
import { compareModels, type ModelChanges } from '../plan/compare-models.ts'
import { defineCommand } from './command.ts'
import { configFile, envFileOption } from './config-file.ts'
import { describeChanges } from './describe-changes.ts'
import { countProblems, hasColours, printFrames, shortName } from './report.ts'
import { requestTable } from './request-table.ts'
import { type Reload, type Reporter, serve } from './serve.ts'

export const dev = defineCommand({
  details: `A config with type errors is not taken: the gateway does not start with it, and a running one goes on with
the last good config. Every request is a row of a table, a line of JSON where the output is no terminal, and nothing
when the config says log: { access: false }.`,
  options: {
    ...envFileOption,
    'allow-type-errors': { type: 'boolean', help: 'Take the config at once and show its type errors after' },
  },
  async run(given, { 'allow-type-errors': allowed, 'env-file': envFile }) {
    return serve(configFile(given), {
      logLevel: undefined,
      overrides: { accessLog: true, workers: 1 },
      watch: true,
      envFile,
      control: true,
      strict: false,
      typeErrors: allowed ? 'show' : 'refuse',
      divert: log => (stdout.isTTY ? requestTable(log, stdout, hasColours(stdout)) : log),
      createReporter,
    })
  },
})

/** A line a save, and what is wrong with the lines of source it is wrong in. */
function createReporter(log: Log): Reporter {
  const compare = createCompare()
  return {
    reloaded(reload, { before, after }) {
      const { ms, generation } = reload
      void compare(before, after).then(changes => {
        log.info(`${what(reload)}: ${describeChanges(changes)}, live in ${ms} ms`, { generation })
      })
    },
    unchanged: reload => log.info(`${what(reload)}: the config says the same`, { generation: reload.generation }),
    refused(reload, problems) {
      printFrames(problems, process.stderr)
      const { ms, generation } = reload
      log.error(`${what(reload)}: ${countProblems(problems)} after ${ms} ms, the old config goes on serving`, {
        generation,
      })
    },
    remarks: problems => printFrames(problems, process.stderr),
  }
}

/** Compares configs one after the other; what a reload left as it was is serialised once. */
function createCompare(): (before: Model, after: Model) => Promise<ModelChanges> {
  const salt = randomUUID()
  const known = new WeakMap()
  return async (before, after) => {
    const old = await serialiseModel(before, salt, known)
    return compareModels(old, await serialiseModel(after, salt, known))
  }
}

function what({ changed: [first, ...others] }: Reload): string {
  if (first === undefined) return 'reload asked for'
  return `${shortName(first)}${others.length === 0 ? '' : ` and ${others.length} more`} changed`
}
