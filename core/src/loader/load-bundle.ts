import { hash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { basename, dirname, extname } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  type BuildFailure,
  build,
  type Loader,
  type OnLoadResult,
  type OnResolveArgs,
  type OnResolveResult,
  type PluginBuild,
} from 'esbuild'
import type { Problem } from '../config/problem.ts'
import { fromEsbuild } from './load-problem.ts'
import {
  classifyImport,
  isKernelImport,
  isRelativeImport,
  kernelRoot,
  logicalPath,
  missingCandidates,
  realPath,
} from './load-resolve.ts'

/** Hash of a file's content, as {@link contentHash} makes it. */
export type ContentHash = string

export function contentHash(content: Uint8Array | string): ContentHash {
  return hash('sha1', content, 'base64')
}

/** What a load has touched so far; filled while it goes on, so that a load that fails or hangs still says what to watch. */
export interface Graph {
  /** Real paths of the sources in the bundle. */
  readonly sources: Set<string>
  /** Logical paths to watch, each with the hash of what was read; undefined for a file that was looked for and missing. */
  readonly watch: Map<string, ContentHash | undefined>
  /** Packages that are being imported at the moment, and by whom. */
  readonly importing: Set<{ readonly specifier: string; readonly importer: string }>
}

/** A config's graph of local files as one script, and everything it needs besides. */
export interface Bundle {
  /** Undefined when the problems hold an error. */
  code: string | undefined
  /** Its source map, as a data URL. */
  map: string
  problems: Problem[]
  /** Packages that were loaded for the bundle, by the key it asks for them with. */
  externals: Map<string, object>
}

export interface BundleOptions {
  /** Name of the script in stack traces. */
  name: string
  /** Modules of the running kernel by import specifier. */
  kernel: Readonly<Record<string, object>>
  /** What the config file was translated into. Absent: it is code itself. */
  translated?: string | undefined
}

/**
 * Bundles a config into one script. Local files and workspace packages go in; packages stay out: those imported
 * statically are loaded here and handed in as `externals`, the others are left to Node at run time.
 */
export async function bundleConfig(file: string, graph: Graph, options: BundleOptions): Promise<Bundle> {
  const folder = dirname(realPath(file))
  const externals: Bundle['externals'] = new Map()
  const problems = (messages: BuildFailure['errors'], severity: Problem['severity']) =>
    messages.map(message => fromEsbuild(message, severity, folder))
  try {
    const result = await callEsbuild(() =>
      build({
        stdin: {
          contents: `import * as config from ${JSON.stringify(file)}; $gateway.done(config)`,
          resolveDir: folder,
          sourcefile: `${basename(file)}.entry`,
        },
        absWorkingDir: folder,
        outfile: options.name,
        bundle: true,
        write: false,
        format: 'esm',
        platform: 'node',
        target: `node${process.versions.node}`,
        // Node's own, without the bundlers' `module` condition and field.
        conditions: ['node-addons', 'module-sync'],
        mainFields: ['main'],
        sourcemap: 'external',
        sourcesContent: false,
        charset: 'utf8',
        logLevel: 'silent',
        // Every closure of the config holds this scope, and with it `module`, which keeps the source map alive. In brackets
        // V8 compiles it at once, where it would else go through the whole text twice.
        banner: { js: 'module.exports = (async function ($gateway) { "use strict"; void module;' },
        footer: { js: '})' },
        define: { 'import.meta': metaName },
        plugins: [{ name: 'gateway', setup: esbuild => setUp(esbuild, { file, graph, externals, ...options }) }],
      }),
    )
    const [map, script] = ['.map', ''].map(ending =>
      result.outputFiles.find(({ path }) => path === options.name + ending),
    )
    const { buffer, byteOffset, byteLength } = map?.contents ?? new Uint8Array()
    const base64 = Buffer.from(buffer, byteOffset, byteLength).toString('base64')
    const mapUrl = `data:application/json;base64,${base64}`
    return { code: script?.text ?? '', map: mapUrl, problems: problems(result.warnings, 'warning'), externals }
  } catch (error) {
    if (!isBuildFailure(error)) throw error
    const found = [...problems(error.errors, 'error'), ...problems(error.warnings, 'warning')]
    return { code: undefined, map: '', problems: found, externals }
  }
}

/**
 * What Go's collector in esbuild's process goes by. By default it works on all cores at every build of a megabyte, just when
 * this process compiles and runs what was built.
 */
const collector = { GOGC: '400', GOMEMLIMIT: '256MiB' }

/** `call` starts esbuild's process, at once, if it is the first; what the operator has set stays. */
function callEsbuild<Result>(call: () => Result): Result {
  const own = Object.entries(collector).filter(([name]) => process.env[name] === undefined)
  for (const [name, value] of own) process.env[name] = value
  try {
    return call()
  } finally {
    for (const [name] of own) delete process.env[name]
  }
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && 'errors' in error && Array.isArray(error.errors) && 'warnings' in error
}

const metaName = '__gatewayImportMeta'
const metaPrefix = 'gateway-import-meta:'
/** Marks resolutions that this plugin asks esbuild for, so that it does not answer itself. */
const inner = Symbol('inner')

interface Setting {
  file: string
  graph: Graph
  externals: Bundle['externals']
  kernel: BundleOptions['kernel']
  translated?: string | undefined
}

function setUp(esbuild: PluginBuild, { file: entry, graph, externals, kernel, translated }: Setting): void {
  const logical = new Map([[realPath(entry), entry]])
  const fallbacks = [dirname(realPath(entry)), process.cwd(), kernelRoot]

  esbuild.onResolve({ filter: /./ }, async args => {
    if (args.pluginData === inner) return undefined
    if (args.path.startsWith(metaPrefix)) return { path: args.path.slice(metaPrefix.length), namespace: 'meta' }
    if (args.path === entry && args.namespace !== 'file') return { path: realPath(entry), namespace: 'file' }
    if (Object.hasOwn(kernel, args.path)) {
      return { path: args.path, namespace: args.kind === 'require-call' ? 'kernel-require' : 'kernel' }
    }
    if (isBuiltin(args.path)) {
      const name = args.path.startsWith('node:') ? args.path : `node:${args.path}`
      return outside(args, name, name)
    }
    const found = await find(args)
    if (found === undefined) {
      for (const path of missingCandidates(args.path, args.resolveDir)) graph.watch.set(path, undefined)
      return undefined
    }
    const real = realPath(found)
    if (classifyImport(args.path, args.importer, real) === 'package' || extname(real) === '.node') {
      return outside(args, real, pathToFileURL(real).href)
    }
    if (!logical.has(real)) {
      const importer = logical.get(args.importer) ?? args.importer
      logical.set(real, isRelativeImport(args.path) ? logicalPath(found, args.importer, importer) : real)
    }
    return { path: real, namespace: 'file' }
  })

  /** The importing file's folder first, then the config's, then where the gateway runs and where it is installed. */
  async function find({ path, kind, importer, resolveDir, with: attributes }: OnResolveArgs) {
    const beyond = isRelativeImport(path) || path.startsWith('#') ? [] : fallbacks
    const folders = isKernelImport(path) ? [kernelRoot] : new Set([resolveDir, ...beyond])
    for (const folder of folders) {
      const result = await esbuild.resolve(path, {
        kind,
        importer,
        resolveDir: folder,
        with: attributes,
        pluginData: inner,
      })
      if (result.errors.length === 0 && !result.external && result.namespace === 'file') return result.path
    }
    return undefined
  }

  /** An import of something outside the bundle. Only a static ESM import needs it before the bundle runs. */
  async function outside(args: OnResolveArgs, path: string, url: string): Promise<OnResolveResult> {
    if (args.kind === 'require-call' || args.kind === 'require-resolve') return { path, external: true }
    if (args.kind === 'dynamic-import') return { path: url, external: true }
    if (!externals.has(url)) {
      const importing = { specifier: args.path, importer: args.importer }
      graph.importing.add(importing)
      try {
        const namespace: unknown = await import(/* @vite-ignore */ url)
        if (typeof namespace === 'object' && namespace !== null) externals.set(url, namespace)
      } catch (error) {
        return { errors: [{ text: `Importing "${args.path}" failed: ${describe(error)}`, detail: error }] }
      } finally {
        graph.importing.delete(importing)
      }
    }
    return { path: url, namespace: 'external' }
  }

  esbuild.onLoad({ filter: /./, namespace: 'kernel-require' }, ({ path }) => ({
    contents: `module.exports = $gateway.external(${JSON.stringify(path)})`,
  }))
  esbuild.onLoad({ filter: /./, namespace: 'kernel' }, ({ path }) => {
    const module = kernel[path] ?? {}
    externals.set(path, module)
    return { contents: stub(path, module) }
  })
  esbuild.onLoad({ filter: /./, namespace: 'external' }, ({ path }) => ({
    contents: stub(path, externals.get(path) ?? {}),
  }))
  esbuild.onLoad({ filter: /./, namespace: 'meta' }, ({ path }) => ({
    contents: `export default /* @__PURE__ */ $gateway.meta(${JSON.stringify(path)})`,
  }))
  esbuild.onLoad({ filter: /./, namespace: 'file' }, async ({ path }) => {
    const watched = logical.get(path) ?? path
    if (translated !== undefined && watched === entry) {
      return { contents: translated, loader: 'js', resolveDir: dirname(path) }
    }
    graph.watch.set(watched, undefined)
    const content = await readFile(path)
    graph.watch.set(watched, contentHash(content))
    graph.sources.add(path)
    return load(path, content)
  })
}

/** An ES module that passes a loaded module's exports on, each dropped from the bundle when nothing uses it. */
function stub(key: string, module: object): string {
  const names = Object.keys(module).filter(name => name !== 'module.exports')
  const lines = names.map((name, index) => {
    const value = `/* @__PURE__ */ (() => $module[${JSON.stringify(name)}])()`
    return `const $${index} = ${value}; export { $${index} as ${JSON.stringify(name)} }`
  })
  return [`const $module = /* @__PURE__ */ $gateway.external(${JSON.stringify(key)})`, ...lines].join('\n')
}

/** What the bundle has in place of a file; undefined: the file itself, which esbuild reads quicker than it is handed over. */
function load(path: string, content: Buffer): OnLoadResult | undefined {
  if (!codeExtension.test(path) || !ownPlace.some(name => content.includes(name))) return undefined
  const result: OnLoadResult = { resolveDir: dirname(path), loader: loaders[extname(path)] ?? 'default' }
  const text = content.toString()
  // Imports are hoisted, so one at the end serves the whole file and moves no line or column.
  if (text.includes('import.meta')) {
    return { ...result, contents: `${text}\nimport ${metaName} from ${JSON.stringify(metaPrefix + path)}` }
  }
  if (/\b(?:const|let|var|function|import)\s+__(?:file|dir)name\b/.test(text)) return undefined
  const names = `__filename = ${JSON.stringify(path)}, __dirname = ${JSON.stringify(dirname(path))}`
  return { ...result, contents: `var ${names};${text}` }
}

const ownPlace = ['import.meta', '__filename', '__dirname']
const codeExtension = /\.[mc]?[jt]sx?$/
const loaders: Readonly<Record<string, Loader>> = { '.mts': 'ts', '.cts': 'ts', '.mjs': 'js', '.cjs': 'js' }

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
