import { existsSync } from 'node:fs'
import { extname, resolve } from 'node:path'
import { whyUnreadable } from '../config/environment/read-small-file.ts'
import { collectReadings, type Readings } from '../config/environment/readings.ts'
import { normalise } from '../config/normalise.ts'
import type { Problem } from '../config/problem.ts'
import { bundleConfig, type ContentHash, contentHash, type Graph } from './load-bundle.ts'
import { applyEnvFile } from './load-env-file.ts'
import type { CompiledBundle } from './load-evaluate.ts'
import { pinKernel } from './load-kernel.ts'
import { type SourcePlace, thrownAt, thrownProblem } from './load-problem.ts'
import { faultProblems, variableHashes, watchFaults, withoutConsequences } from './load-readings.ts'
import { withoutRepeats } from './load-repeats.ts'
import { realPath } from './load-resolve.ts'
import { inTime, type PortableBundle, runBundle } from './load-run.ts'
import { stuckProblem } from './load-stuck.ts'
import { atOrigin, isTranslated, translateConfig } from './load-translate.ts'

export type { SourcePlace } from './load-problem.ts'

export interface LoadOptions {
  /** For the whole load in milliseconds; default 10,000. A loop that never yields cannot be stopped. */
  timeoutMs?: number
  /**
   * Modules of the running kernel by import specifier (`@gateway/core`). A config and its local files always get these
   * objects; a specifier of the kernel that is not among them is resolved from the running installation.
   */
  kernel?: Readonly<Record<string, object>>
  /** A `.env` file, read anew at each load; variables that were set outside of it win. */
  envFile?: string | undefined
  /** The load that serves, and the files that have changed since. */
  serving?: LoadedConfig | undefined
  changed?: readonly string[]
}

interface Watched {
  /**
   * Absolute paths of every local file in the graph, the config first, of the `.env` file, and of files that were looked
   * for and missing. Not those of secrets: a secret is rotated without a reload.
   */
  files: string[]
  /** The content each of `files` had when it was read; undefined for a missing one. The watcher's starting point. */
  hashes: ReadonlyMap<string, ContentHash | undefined>
}

export interface LoadedConfig extends Watched {
  ok: true
  /** The default export. */
  config: unknown
  /** The environment variables that the config asked for, with hashes of what they held; undefined: not set. */
  variables: ReadonlyMap<string, ContentHash | undefined>
  /** Hashes of all local modules, without their comments, and of the environment that they ran in. */
  code: string
  warnings: Problem[]
  /** What it was evaluated from. */
  bundle: PortableBundle
  /** Where in the config's own files an error was thrown, also one thrown later by a function of the config. */
  sourceOf(error: unknown): SourcePlace | undefined
  /** Lets go of the code's source map, unless something of the config itself still lives. */
  dispose(): void
}

export interface FailedLoad extends Watched {
  ok: false
  /** At least one of severity `error`. Those of the config's content have a path, and as yet no place. */
  problems: Problem[]
}

export type LoadResult = LoadedConfig | FailedLoad

const configNames = [
  'gateway.config.ts',
  'gateway.config.mts',
  'gateway.config.js',
  'gateway.config.mjs',
  'gateway.yaml',
  'gateway.yml',
]

/** The config file of a folder, as an absolute path: TypeScript first, then JavaScript, then YAML. */
export function findConfigFile(folder: string): string | undefined {
  return configNames.map(name => resolve(folder, name)).find(file => existsSync(file))
}

let loads = 0

/**
 * Loads a config and its graph of local files afresh. Never rejects and leaves nothing of a failed load behind: what is
 * wrong comes back as problems with file, line and column. Packages are loaded once per process.
 *
 * When the changed files are modules, and the code is that of the serving load all the same (an edited comment, an edit
 * taken back), nothing runs: the config is the serving one, the same object.
 */
export async function loadConfigFile(file: string, options: LoadOptions = {}): Promise<LoadResult> {
  const { serving, changed = [] } = options
  const entry = resolve(file)
  const graph: Graph = { sources: new Set(), watch: new Map([[entry, undefined]]), importing: new Set() }
  const refused = refuse(entry)
  if (refused !== undefined) return { ok: false, problems: [refused], ...watched(graph) }

  const problem = options.envFile === undefined ? undefined : readEnvFile(resolve(options.envFile), graph)
  if (problem !== undefined) return { ok: false, problems: [problem], ...watched(graph) }

  loads += 1
  pinKernel()
  const name = `${realPath(entry)}.load-${loads}.cjs`
  const readings: Readings = { variables: new Map(), faults: [] }
  /** A config that asked for what is not there is refused, and told what else is wrong with it. */
  const fail = (others: readonly Problem[], config?: unknown): FailedLoad => {
    watchFaults(readings, graph.watch)
    const faults = faultProblems(readings, name, graph.sources)
    const problems = [...faults, ...(faults.length === 0 ? others : withoutConsequences(others, config))]
    return { ok: false, problems, ...watched(graph) }
  }
  // Takes its time with a large file, and runs nothing that could take for ever.
  const translation = await collectReadings(readings, () => translateConfig(entry, graph))
  if (translation.refused) return fail(translation.problems)
  return inTime(options.timeoutMs, async limit => {
    try {
      const translated = translation.translated?.code
      const bundling = bundleConfig(entry, graph, { name, kernel: options.kernel ?? {}, translated })
      const { code, map, problems: told, externals } = await unlessAborted(bundling, limit.signal)
      const problems = [...translation.problems, ...told.map(problem => atOrigin(problem, entry))]
      if (code === undefined) return fail(problems)
      const hash = contentHash(code) + contentHash(JSON.stringify(process.env))
      if (hash === serving?.code && isCodeAlone(changed, graph)) return { ...serving, ...watched(graph) }
      const bundle = { entry, name, code, map, externals: [...externals.keys()], sources: [...graph.sources] }
      const run = await collectReadings(readings, () => runBundle(bundle, externals, limit))
      if (!run.ok) return fail([...translation.problems, ...run.problems])
      const refused = translation.problems.some(({ severity }) => severity === 'error')
      if (refused) return fail(withoutRepeats(translation.problems, normalise(run.config).problems, entry), run.config)
      if (readings.faults.length > 0) return fail(normalise(run.config).problems, run.config)
      const { config, warnings, compiled } = run
      const variables = variableHashes(readings)
      return { ...held(compiled, graph), config, code: hash, variables, bundle, warnings: [...problems, ...warnings] }
    } catch (error) {
      return fail([
        limit.signal.aborted ? stuckProblem(entry, graph, limit.ms) : thrownProblem(error, undefined, entry),
      ])
    }
  })
}

function readEnvFile(file: string, graph: Graph): Problem | undefined {
  graph.watch.set(file, undefined)
  try {
    graph.watch.set(file, applyEnvFile(file))
  } catch (error) {
    const message = `The file of --env-file cannot be read: ${whyUnreadable(error)}`
    return { severity: 'error', code: 'CONFIG_ENV_FILE', message, file }
  }
}

/** Holds on to the code's source map, which lives as long as the compiled code does. */
function held(
  compiled: CompiledBundle,
  graph: Graph,
): Pick<LoadedConfig, 'ok' | 'sourceOf' | 'dispose' | keyof Watched> {
  // The source map lives as long as the compiled code does.
  let kept: CompiledBundle | undefined = compiled
  const sourceOf = (error: unknown) => kept && thrownAt(error, kept.name, graph.sources)
  const dispose = () => {
    kept = undefined
  }
  return { ok: true, sourceOf, dispose, ...watched(graph) }
}

function watched({ watch }: Graph): Watched {
  return { files: [...watch.keys()], hashes: watch }
}

/** Not so when nobody knows what changed, or when it is a file that the code reads while it runs. */
function isCodeAlone(changed: readonly string[], { watch }: Graph): boolean {
  return changed.length > 0 && changed.every(file => watch.has(file))
}

function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const aborted = Promise.withResolvers<never>()
  signal.addEventListener('abort', () => aborted.reject(signal.reason), { once: true })
  return Promise.race([promise, aborted.promise])
}

/** What can be refused by the file's name alone. */
function refuse(file: string): Problem | undefined {
  const problem = (code: string, message: string, hint: string): Problem => {
    return { severity: 'error', code, message, hint, file }
  }
  if (!existsSync(file)) {
    return problem(
      'CONFIG_NOT_FOUND',
      'There is no such file',
      `Without a name the gateway looks for ${configNames[0]}.`,
    )
  }
  const extension = extname(file)
  if (!isTranslated(file) && !/^\.[mc]?[jt]s$/.test(extension)) {
    const message = `A config cannot be a "${extension}" file`
    return problem('CONFIG_FORMAT_UNKNOWN', message, 'Configs end in .ts, .mts, .cts, .js, .mjs, .cjs, .yaml or .yml.')
  }
  return undefined
}
