import type { Model } from '../config/model.ts'
import { normalise } from '../config/normalise.ts'
import type { Problem } from '../config/problem.ts'
import { type LoadedConfig, loadConfigFile } from '../loader/load.ts'
import type { PortableBundle } from '../loader/load-run.ts'
import { typecheck } from '../loader/typecheck.ts'
import type { FileWatcher } from '../loader/watch.ts'
import type { Taken } from '../workers/supervisor.ts'
import { kernel } from './inspect-config.ts'
import { lintConfig } from './lint-config.ts'
import { hasErrors, mergeProblems, placeProblems, problemsOf } from './problems.ts'

/**
 * What type errors do: `ignore` does not look for them; `refuse` waits for the compiler and keeps a config with errors
 * out; `show` takes the config at once and tells of them when they are known.
 */
export type TypeErrors = 'ignore' | 'refuse' | 'show'

export interface BringUpOptions {
  readonly file: string
  readonly envFile: string | undefined
  readonly typeErrors: TypeErrors
  /** A warning keeps a config out as an error does. */
  readonly strict: boolean
  readonly watcher: FileWatcher | undefined
  /** The command line's changes to the config. */
  adjust(config: unknown): unknown
  /** Starts or reloads the gateway with what the bundle exports, adjusted. What it rejects with becomes problems. */
  apply(config: unknown, bundle: PortableBundle): Promise<Taken>
}

export type BroughtUp =
  | {
      readonly ok: true
      /** As the gateway got it. */
      readonly config: unknown
      readonly model: Model
      readonly changed: boolean
      /** What was read for it: every file with its content's hash. */
      readonly hashes: LoadedConfig['hashes']
      readonly warnings: readonly Problem[]
      /** With `show`; empty otherwise. */
      readonly typeErrors: Promise<readonly Problem[]>
      /** Looked for beside the requests. */
      readonly lints: Promise<readonly Problem[]>
    }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/**
 * Makes a function that takes the config from its file to the gateway, and type-checks beside the load. What goes wrong
 * comes back as problems with their places, and then nothing has changed. Undefined when `signal` was aborted before the
 * config was taken: somebody else is about to load a newer one. It is told which files have changed; none is a reload
 * that somebody asked for.
 */
export function createBringUp(
  options: BringUpOptions,
): (signal: AbortSignal, changed: readonly string[]) => Promise<BroughtUp | undefined> {
  const { file, envFile, typeErrors, strict, watcher, adjust, apply } = options
  let serving: LoadedConfig | undefined
  let linting = new AbortController()

  return async (signal, changed) => {
    const typing = typeErrors === 'ignore' ? Promise.resolve([]) : typesOf(file, signal)
    const load = await loadConfigFile(file, { kernel, envFile, serving, changed })
    const files = new Set([...load.files, ...(serving?.files ?? [])])
    await watcher?.update(files, load.hashes)
    const result = load.ok
      ? await take(load, typing, signal)
      : refusal(file, placeProblems(load.problems, file), await typing)
    if (result?.ok) return result
    if (result === undefined || signal.aborted) return undefined
    // The load saw no module that is there for its types alone, yet the mistake may have to be mended in one.
    const mistaken = result.problems.flatMap(problem => problem.file ?? [])
    if (mistaken.some(other => !files.has(other))) await watcher?.update([...files, ...mistaken])
    return result
  }

  function letGo(load: LoadedConfig): void {
    if (load.config !== serving?.config) load.dispose()
  }

  async function take(
    load: LoadedConfig,
    typing: Promise<Problem[]>,
    signal: AbortSignal,
  ): Promise<BroughtUp | undefined> {
    const config = adjust(load.config)
    const warnings = strict ? [...load.warnings, ...normalise(config).problems] : []
    if (warnings.length > 0) {
      letGo(load)
      const refused = warnings.map(problem => ({ ...problem, severity: 'error' as const }))
      return refusal(file, placeProblems(refused, file), await typing)
    }
    if (typeErrors === 'refuse') {
      const types = await typing
      if (signal.aborted || hasErrors(types)) {
        letGo(load)
        return signal.aborted ? undefined : refusal(file, placeProblems(normalise(config).problems, file), types)
      }
    }
    try {
      const { changed, model, warnings } = await apply(config, load.bundle)
      // What still runs of the old config keeps its own source map alive.
      if (load.config !== serving?.config) serving?.dispose()
      serving = load
      // What is found in a config that is gone already would be about lines that are gone, too.
      linting.abort()
      linting = new AbortController()
      const lints = lintConfig(file, load, model, linting.signal)
      const placed = [...load.warnings, ...placeProblems(warnings, file)]
      return { ok: true, config, changed, model, hashes: load.hashes, warnings: placed, typeErrors: typing, lints }
    } catch (error) {
      letGo(load)
      return refusal(file, problemsOf(error, file), await typing)
    }
  }
}

function refusal(file: string, found: readonly Problem[], types: readonly Problem[]): BroughtUp {
  return { ok: false, problems: mergeProblems(found, types, file) }
}

async function typesOf(file: string, signal: AbortSignal): Promise<Problem[]> {
  try {
    return await typecheck(file, { signal })
  } catch (error) {
    if (signal.aborted) return []
    throw error
  }
}
