import type { Problem } from '../config/problem.ts'
import { type CompiledBundle, compileBundle, evaluateBundle, importMeta } from './load-evaluate.ts'
import { pinKernel } from './load-kernel.ts'
import { thrownAt, thrownProblem } from './load-problem.ts'
import { stuckProblem } from './load-stuck.ts'

/** A config's code, to be run in other threads as well, however its files may have changed since. */
export interface PortableBundle {
  /** The config file. */
  readonly entry: string
  /** Of the script; unique in the process. */
  readonly name: string
  readonly code: string
  /** Its source map, as a data URL. */
  readonly map: string
  /** What it imports: packages by URL, modules of the kernel by specifier. */
  readonly externals: readonly string[]
  /** Real paths of the files in it. */
  readonly sources: readonly string[]
}

export type BundleRun =
  | { readonly ok: true; readonly config: unknown; readonly warnings: Problem[]; readonly compiled: CompiledBundle }
  | { readonly ok: false; readonly problems: Problem[] }

interface TimeLimit {
  readonly signal: AbortSignal
  readonly ms: number
}

/** Runs what {@link loadConfigFile} bundled in another thread. Never rejects. */
export function runPortable(bundle: PortableBundle, kernel: Readonly<Record<string, object>>): Promise<BundleRun> {
  pinKernel()
  return inTime(undefined, async limit => {
    const externals = new Map<string, object>()
    try {
      for (const key of bundle.externals) {
        const module: unknown = kernel[key] ?? (await import(/* @vite-ignore */ key))
        if (typeof module === 'object' && module !== null) externals.set(key, module)
      }
    } catch (error) {
      return { ok: false, problems: [thrownProblem(error, undefined, bundle.entry)] }
    }
    return runBundle(bundle, externals, limit)
  })
}

/** Runs a bundle and takes the config that it exports. Never rejects. */
export async function runBundle(
  { entry, name, code, map, sources }: PortableBundle,
  externals: ReadonlyMap<string, object>,
  limit: TimeLimit,
): Promise<BundleRun> {
  const files = new Set(sources)
  try {
    const compiled = await compileBundle(code, map, name)
    const host = { external: (key: string) => externals.get(key), meta: importMeta }
    const { namespace, warnings } = await evaluateBundle(compiled, host, files, limit.signal)
    if (!('default' in namespace)) return { ok: false, problems: [noDefaultExport(entry, Object.keys(namespace))] }
    return { ok: true, config: namespace.default, warnings, compiled }
  } catch (error) {
    const problem = limit.signal.aborted
      ? stuckProblem(entry, { sources: files, importing: new Set() }, limit.ms)
      : thrownProblem(error, thrownAt(error, name, files), entry)
    return { ok: false, problems: [problem] }
  }
}

/** Gives a load its time: 10,000 ms unless it says otherwise. The process stays alive meanwhile. */
export async function inTime<T>(ms = 10_000, load: (limit: TimeLimit) => Promise<T>): Promise<T> {
  const timeout = new AbortController()
  const timer = setTimeout(() => timeout.abort(), ms)
  try {
    return await load({ signal: timeout.signal, ms })
  } finally {
    clearTimeout(timer)
  }
}

function noDefaultExport(file: string, names: readonly string[]): Problem {
  const message =
    names.length === 0 ? 'The config exports nothing' : `The config exports ${names.join(', ')}, but no default`
  const hint = 'Write `export default defineConfig({ … })`.'
  return { severity: 'error', code: 'CONFIG_NO_DEFAULT_EXPORT', message, hint, file }
}
