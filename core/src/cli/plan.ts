import type { Model } from '../config/model.ts'
import type { Problem } from '../config/problem.ts'
import { type SerialisedModel, serialiseModel } from '../control/serialise-model.ts'
import { planReload } from '../plan/plan-reload.ts'
import { defineCommandOf, UsageError } from './command.ts'
import { configFile, envFileOption } from './config-file.ts'
import type { Status } from './control-table.ts'
import { inspectConfig } from './inspect-config.ts'
import type { Overrides } from './override-listener.ts'
import type { PlanOutput } from './plan-output.ts'
import { planText } from './plan-text.ts'
import { hasErrors } from './problems.ts'
import { replayRecord } from './replay-record.ts'
import { printProblems } from './report.ts'
import { askGateway } from './running.ts'

export const plan = defineCommandOf('[OLD] [NEW]', {
  details: `Two configs are compared; NEW alone with what the running gateway serves; and without NEW the gateway's own config
file, as "gateway reload" would take it. Nothing is started and no plugin is set up. NEW is read with the environment of
this command. Functions are compared by their text: what they close over does not show.
A record is a .har file, or an access log: lines of the gateway, or in the Common or Combined Log Format. Its requests are
decided by both configs in this process, up to the first hook, and nothing is sent.
Exit codes: 0 fine, 1 NEW has errors or something cannot be read, 2 wrong usage, 3 with --exit-code: something changes.`,
  options: {
    running: { type: 'optional', value: 'PID', help: 'Compare with this running gateway; without PID, the only one' },
    replay: { type: 'string', value: 'RECORD', help: 'List the recorded requests that would be treated differently' },
    host: { type: 'string', value: 'HOST', help: 'Host of recorded requests, where the record names none' },
    ...envFileOption,
    json: { type: 'boolean', help: 'Print the plan as JSON' },
    'exit-code': { type: 'boolean', help: 'Exit with 3 when something changes' },
  },
  async run([first, second], { running, replay: record, host, json, 'env-file': envFile, 'exit-code': tells }) {
    if (second !== undefined && running !== undefined) throw new UsageError('--running or OLD: choose one')
    if (host !== undefined && record === undefined) throw new UsageError('--host is about the requests of --replay')
    const old = second === undefined ? await readRunning(running) : await readFile(first, envFile)
    if ('problems' in old) {
      printProblems(old.problems, process.stderr)
      return 1
    }
    const file = second === undefined && first === undefined ? old.before.file : configFile(second ?? first)
    const { model, problems } = await inspectConfig(file, envFile, old.overrides)
    printProblems(problems, process.stderr)
    if (model === undefined || hasErrors(problems)) {
      if (json) process.stdout.write(`${JSON.stringify({ problems }, undefined, 2)}\n`)
      return 1
    }
    const serialised = withWorkers(await serialiseModel(model, old.serialised.salt), old.overrides)
    const planned = planReload(old.serialised, serialised)
    const replayed =
      record === undefined ? {} : { replay: await replayRecord(record, host, old, { model, serialised }) }
    const output: PlanOutput = { before: old.before, after: { file }, ...planned, problems, ...replayed }
    process.stdout.write(
      json ? `${JSON.stringify(output, undefined, 2)}\n` : planText(output, old.serialised, serialised, process.stdout),
    )
    return tells && planned.differs ? 3 : 0
  },
})

/** What a plan starts from. */
interface Old {
  readonly before: PlanOutput['before']
  readonly serialised: SerialisedModel
  /** Undefined: it runs, and has told no more than `serialised`. */
  readonly model: Model | undefined
  readonly overrides: Overrides
}

async function readRunning(running: string | undefined): Promise<Old> {
  const { pid, configFile: file, overrides } = (await askGateway(running || undefined, 'GET /status')) as Status
  const serialised = (await askGateway(String(pid), 'GET /model')) as SerialisedModel
  return { before: { file, pid }, serialised: withWorkers(serialised, overrides), model: undefined, overrides }
}

async function readFile(
  given: string | undefined,
  envFile: string | undefined,
): Promise<Old | { problems: readonly Problem[] }> {
  const file = configFile(given)
  const { model, problems } = await inspectConfig(file, envFile)
  if (model === undefined || hasErrors(problems)) return { problems }
  return { before: { file }, serialised: await serialiseModel(model), model, overrides: {} }
}

/** Where the command line of the gateway says how many there are, the config does not. */
function withWorkers(serialised: SerialisedModel, { workers }: Overrides): SerialisedModel {
  return workers === undefined ? serialised : { ...serialised, settings: { ...serialised.settings, workers } }
}
