import { createRequire, Module, setSourceMapsSupport } from 'node:module'
import { dirname } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { Problem } from '../config/problem.ts'
import { trackHeld } from './load-held.ts'
import { thrownAt } from './load-problem.ts'

/** What the code of a bundle may call; the bundler writes these calls. */
export interface BundleHost {
  /** A package or kernel module that was loaded before the bundle runs. */
  external(key: string): unknown
  meta(file: string): object
  /** Hands over the namespace of the entry module. */
  done(namespace: object): void
}

export interface Evaluation {
  namespace: Readonly<Record<string, unknown>>
  warnings: Problem[]
}

/** The code of one generation, compiled and not yet run. */
export interface CompiledBundle {
  /** Unique in the process; its stack frames carry this name until they are mapped. */
  readonly name: string
  run(host: BundleHost): Promise<void>
}

interface CompilingModule {
  _compile(code: string, filename: string, format?: string): unknown
}

function canCompile(module: object): module is CompilingModule {
  return '_compile' in module && typeof module._compile === 'function'
}

/**
 * Compiles through `Module#_compile`, the one way measured to let go of old generations: an imported ES module or a vm
 * module is never collected. The name must be new each time, and the Module object must live as long as the generation
 * does, or its source map is collected with it; the bundle's own scope holds on to `module` for that.
 *
 * For a megabyte, 10,000 routes, V8 takes 3 ms to read the map, 10 to 15 to compile and 4 to run, each at one go: requests
 * have their turn before and after each.
 */
export async function compileBundle(code: string, map: string, name: string): Promise<CompiledBundle> {
  if (!process.sourceMapsEnabled) setSourceMapsSupport(true, { nodeModules: false, generatedCode: false })
  const module = new Module(name)
  module.filename = name
  if (!canCompile(module)) throw new Error('This version of Node cannot compile a config: Module#_compile is missing')
  // The turn that brought the bundle still goes on, and read and hashed a megabyte or two.
  await nextTurn()
  // By itself, since Node goes through the whole text that a map comes with, letter by letter.
  module._compile(`//# sourceMappingURL=${map}`, name, 'commonjs')
  await nextTurn()
  module._compile(code, name, 'commonjs')
  await nextTurn()
  const run: unknown = module.exports
  if (typeof run !== 'function') throw new Error('The bundle did not compile to a function')
  return {
    name,
    async run(host) {
      await run(host)
    },
  }
}

/** The object behind `import.meta` of a bundled module: that of the original file, not of the bundle. */
export function importMeta(file: string): object {
  const url = pathToFileURL(file).href
  return {
    url,
    filename: file,
    dirname: dirname(file),
    main: false,
    resolve: (specifier: string) => {
      if (/^\.{0,2}\//.test(specifier)) return new URL(specifier, url).href
      const resolved = createRequire(file).resolve(specifier)
      return resolved.startsWith('/') ? pathToFileURL(resolved).href : resolved
    },
  }
}

/**
 * Runs a bundle to its end and settles a promise that is its default export. `sources` are its local files.
 * A promise that the config rejects and nobody handles counts as thrown: left alone it would end the process.
 * Rejects with the signal's reason when it aborts first; code that never yields cannot be stopped.
 */
export async function evaluateBundle(
  bundle: CompiledBundle,
  host: Omit<BundleHost, 'done'>,
  sources: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Evaluation> {
  const held = trackHeld(bundle.name)
  const stopped = Promise.withResolvers<never>()
  stopped.promise.catch(() => undefined)
  const onAbort = () => stopped.reject(signal.reason)
  signal.addEventListener('abort', onAbort)
  const onUnhandled = (reason: unknown) => {
    if (thrownAt(reason, bundle.name, sources) !== undefined) stopped.reject(reason)
    // With this listener Node keeps quiet about the rejections of others; where no one else listens, speak for it.
    else if (process.listenerCount('unhandledRejection') === 1) {
      setImmediate(() => {
        throw reason
      })
    }
  }
  process.on('unhandledRejection', onUnhandled)
  try {
    const namespace = await Promise.race([runToEnd(bundle, host), stopped.promise])
    return { namespace, warnings: await Promise.race([held.stop(), stopped.promise]) }
  } finally {
    await held.stop()
    process.off('unhandledRejection', onUnhandled)
    signal.removeEventListener('abort', onAbort)
  }
}

async function runToEnd(bundle: CompiledBundle, host: Omit<BundleHost, 'done'>): Promise<Evaluation['namespace']> {
  let exported: object = {}
  const done = (namespace: object) => {
    exported = namespace
  }
  await bundle.run({ ...host, done })
  const namespace: Record<string, unknown> = { ...exported }
  if ('default' in namespace) namespace.default = await namespace.default
  return namespace
}
