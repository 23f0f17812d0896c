import { statSync } from 'node:fs'
import type { Model } from '../config/model.ts'
import type { Problem } from '../config/problem.ts'
import { watchFiles } from '../loader/watch.ts'
import { createLog, type LevelledLog, type LogLevel } from '../log.ts'
import { Supervisor } from '../workers/supervisor.ts'
import { surviveFaults } from '../workers/survive-faults.ts'
import { type BroughtUp, createBringUp, type TypeErrors } from './bring-up.ts'
import type { Controlled, ReloadOutcome } from './control-table.ts'
import { isUnchanged, openControl } from './open-control.ts'
import { type Overrides, override } from './override-listener.ts'
import { problemsOf } from './problems.ts'
import { firstStopSignal, onHangUp } from './process-events.ts'
import { createReloadQueue } from './reload-queue.ts'
import { printProblems } from './report.ts'
import { watchBesides } from './watch-besides.ts'

export interface ServeOptions {
  /** Holds whatever the config says, now and after every reload. */
  readonly logLevel: LogLevel | undefined
  readonly overrides: Overrides
  readonly watch: boolean
  /** A warning keeps a config out as an error does. */
  readonly strict: boolean
  readonly envFile: string | undefined
  /** Opens the control socket, by which other commands ask this process. */
  readonly control: boolean
  readonly typeErrors: TypeErrors
  /** Where the log's lines go instead. */
  divert?(log: LevelledLog): LevelledLog
  /** Tells how reloads went. */
  createReporter(log: LevelledLog): Reporter
}

export interface Reload {
  /** Absolute; empty when it was asked for by SIGHUP. */
  readonly changed: readonly string[]
  /** From the save, or the signal, to the moment this is told. */
  readonly ms: number
  /** The one that serves now. */
  readonly generation: number
}

export interface Reporter {
  reloaded(reload: Reload, models: { readonly before: Model; readonly after: Model }): void
  /** The config says what it said before: the generation stays. */
  unchanged(reload: Reload): void
  /** The config was not taken; the old one goes on serving. */
  refused(reload: Reload, problems: readonly Problem[]): void
  /** Warnings and lints of a config that was taken, and type errors that did not keep it out. */
  remarks(problems: readonly Problem[]): void
}

/**
 * Runs a gateway until SIGTERM or SIGINT, then drains it and resolves with 0; with 1 when it could not start. SIGHUP, and
 * with `watch` every change of a file that the config is made of, reloads it.
 */
export async function serve(file: string, options: ServeOptions): Promise<number> {
  const pretty = process.stdout.isTTY
  const own = createLog(options.logLevel ?? 'info', { pretty })
  const log = options.divert?.(own) ?? own
  const reporter = options.createReporter(log)
  const stopSignal = firstStopSignal()
  surviveFaults(log)

  const { logLevel, overrides } = options
  const supervisor = new Supervisor({ log, pretty, workers: overrides.workers, logLevel })
  let serving: Extract<BroughtUp, { ok: true }> | undefined
  // What comes while it starts has to wait, but must not be lost: SIGHUP would end a process that does not listen to it.
  const started = Promise.withResolvers<void>()
  const reload = (changed: readonly string[]) => void started.promise.then(() => queue.request(changed))
  onHangUp(() => reload([]))
  const watcher = options.watch
    ? watchBesides(watchFiles(reload, { onWarning: message => log.warn(message) }), () => supervisor.files)
    : undefined
  const bringUp = createBringUp({
    file,
    envFile: options.envFile,
    typeErrors: options.typeErrors,
    strict: options.strict,
    watcher,
    adjust: config => override(config, overrides),
    apply(config, bundle) {
      if (supervisor.generation === 0) log.level = options.logLevel ?? levelOf(config)
      return supervisor.take(config, bundle)
    },
  })
  const queue = createReloadQueue<ReloadOutcome>(async (changed, signal) => {
    const began = beginning(changed)
    try {
      const result = await bringUp(signal, changed)
      await watcher?.renew()
      return result && settle(result, changed, began)
    } catch (error) {
      log.error('the reload failed, the old config goes on serving', { err: error })
      return { ok: false, generation: supervisor.generation, problems: problemsOf(error, file) }
    }
  })

  function settle(result: BroughtUp, changed: readonly string[], began: number): ReloadOutcome {
    const { generation } = supervisor
    const reload = { changed, ms: Math.round(Date.now() - began), generation }
    if (!result.ok) {
      reporter.refused(reload, result.problems)
      return { ok: false, generation, problems: result.problems }
    }
    log.level = options.logLevel ?? levelOf(result.config)
    if (result.changed) reporter.reloaded(reload, { before: serving?.model ?? result.model, after: result.model })
    else reporter.unchanged(reload)
    serving = result
    remark(result)
    return { ok: true, generation, problems: result.warnings }
  }

  function remark({ warnings, typeErrors, lints }: Extract<BroughtUp, { ok: true }>): void {
    const tell = (problems: readonly Problem[]) => void (problems.length > 0 && reporter.remarks(problems))
    tell(warnings)
    typeErrors.then(tell, (error: unknown) => log.error('the type check failed', { err: error }))
    lints.then(tell, (error: unknown) => log.error('the lints failed', { err: error }))
  }

  const first = await bringUp(new AbortController().signal, [])
  if (!first?.ok) {
    if (first?.ok === false) printProblems(first.problems, process.stderr)
    await watcher?.close()
    return 1
  }
  await watcher?.renew()
  serving = first
  remark(first)
  const controlled: Controlled = {
    file,
    overrides,
    unchanged: () => serving !== undefined && isUnchanged(serving.hashes),
    served: supervisor,
    warnings: async () => [...(serving?.warnings ?? []), ...((await serving?.lints) ?? [])],
    reload: () => queue.request([]),
  }
  const control = options.control ? await openControl(controlled, log) : undefined
  for (const { url } of supervisor.addresses) log.info('listening', { url })
  started.resolve()

  const signal = await stopSignal
  const generations = (await supervisor.workers()).flatMap(worker => worker.generations)
  log.info('stopping', { signal, inFlight: generations.reduce((sum, { inFlight }) => sum + inFlight, 0) })
  await Promise.all([supervisor.close(), queue.stop(), watcher?.close()])
  await control?.close()
  log.info('stopped')
  return 0
}

const levels: readonly string[] = ['debug', 'info', 'warn', 'error', 'silent'] satisfies LogLevel[]

/** What the config asks for. Nonsense is for the kernel to refuse. */
function levelOf(config: unknown): LogLevel {
  const level = (config as { log?: { level?: unknown } } | undefined)?.log?.level
  return isLevel(level) ? level : 'info'
}

function isLevel(level: unknown): level is LogLevel {
  return typeof level === 'string' && levels.includes(level)
}

/** When the newest of the files was saved, on the system's clock; now, where that cannot be told. */
function beginning(changed: readonly string[]): number {
  // ctime, since a file that was copied or renamed into place may bring an old mtime along.
  const saved = changed.map(file => statSync(file, { throwIfNoEntry: false })?.ctimeMs ?? 0)
  const newest = Math.max(0, ...saved)
  const now = Date.now()
  return newest > now - 10_000 && newest <= now ? newest : now
}
