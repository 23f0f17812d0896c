import { hash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { kernelName, kernelRoot, nearestNodeModules } from './load-resolve.ts'

/** A tsconfig written for one check. */
export interface CheckProject {
  readonly tsconfig: string
  /** The tsconfig.json of the config's own project that it extends. */
  readonly userTsconfig: string | undefined
  dispose(): void
}

/**
 * Options for a config that lies in no TypeScript project: strict, and resolving as the loader does. Not `nodenext`: it
 * takes a .ts file for CommonJS where no package.json says "module", and then refuses top-level await and import.meta.
 */
const defaultOptions = {
  target: 'es2024',
  lib: ['es2024', 'esnext.disposable', 'esnext.iterator'],
  module: 'esnext',
  moduleResolution: 'bundler',
  customConditions: ['node'],
  strict: true,
  resolveJsonModule: true,
}

/** What a check of one file needs whatever the project says. Null takes an inherited option back. */
const checkOptions = {
  noEmit: true,
  allowImportingTsExtensions: true,
  allowJs: true,
  skipLibCheck: true,
  composite: false,
  declaration: false,
  declarationMap: false,
  emitDeclarationOnly: false,
  isolatedDeclarations: false,
  rootDir: null,
  outDir: null,
}

/** Writes the tsconfig to check `file` with: its own project's options if there is one, else strict defaults. */
export function createCheckProject(file: string, incremental: boolean): CheckProject {
  const folder = dirname(file)
  const userTsconfig = findUp(folder, 'tsconfig.json')
  const { home, cache } = makeHome(folder)
  const typeRoots = [folder, kernelRoot].flatMap(typeRootsAbove)
  const hasNodeTypes = typeRoots.some(root => existsSync(join(root, 'node')))
  // Only in a folder that is the project's own: in the common temporary folder others could put one in its place.
  const tsBuildInfoFile =
    cache && incremental ? join(cache, `${hash('sha1', file, 'hex').slice(0, 16)}.tsbuildinfo`) : null
  const paths = installedPaths(folder)
  const tsconfig = {
    ...(userTsconfig === undefined ? {} : { extends: userTsconfig }),
    compilerOptions: {
      ...(userTsconfig === undefined ? { ...defaultOptions, types: hasNodeTypes ? ['node'] : [] } : {}),
      // Looked up from where the tsconfig lies, which outside the project's node_modules finds nothing.
      ...(userTsconfig === undefined || cache === undefined ? { typeRoots } : {}),
      ...checkOptions,
      incremental: tsBuildInfoFile !== null,
      tsBuildInfoFile,
      ...(paths === undefined ? {} : { paths }),
    },
    files: [file],
    include: [],
  }
  const path = join(home, 'tsconfig.json')
  writeFileSync(path, JSON.stringify(tsconfig))
  return { tsconfig: path, userTsconfig, dispose: () => rmSync(home, { recursive: true, force: true }) }
}

/** A folder for the tsconfig: in the project's node_modules, where types resolve as they do from the project. */
function makeHome(folder: string): { home: string; cache: string | undefined } {
  const modules = nearestNodeModules(folder)
  for (const cache of modules === undefined ? [] : [join(modules, '.cache', 'gateway')]) {
    try {
      mkdirSync(cache, { recursive: true })
      return { home: mkdtempSync(join(cache, 'check-')), cache }
    } catch {
      // Installed read-only, as in a container image.
    }
  }
  return { home: mkdtempSync(join(tmpdir(), 'gateway-check-')), cache: undefined }
}

function findUp(folder: string, name: string): string | undefined {
  for (let current = folder; ; current = dirname(current)) {
    const candidate = join(current, name)
    if (existsSync(candidate)) return candidate
    if (dirname(current) === current) return undefined
  }
}

function typeRootsAbove(folder: string): string[] {
  const parent = dirname(folder)
  const root = join(folder, 'node_modules', '@types')
  return [...(existsSync(root) ? [root] : []), ...(parent === folder ? [] : typeRootsAbove(parent))]
}

/**
 * For a config that cannot resolve the kernel from where it lies: the kernel and the packages beside it, by the same rule
 * as at run time. Undefined for a config that can.
 */
function installedPaths(folder: string): Record<string, string[]> | undefined {
  if (findUp(folder, join('node_modules', kernelName)) !== undefined) return undefined
  const modules = nearestNodeModules(kernelRoot)
  const scope = dirname(kernelName)
  const siblings = modules === undefined ? [] : namesIn(join(modules, scope)).map(name => join(modules, scope, name))
  const paths: Record<string, string[]> = {}
  for (const root of [...siblings, kernelRoot]) Object.assign(paths, exportedPaths(root))
  // Whatever else is installed with the gateway, unless the config has packages of its own that this would hide.
  if (modules !== undefined && nearestNodeModules(folder) === undefined) paths['*'] = [join(modules, '*')]
  return paths
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : []
}

/** The entry points of a package as TypeScript's `paths`, which know nothing of a package's `exports`. */
function exportedPaths(root: string): Record<string, string[]> {
  const manifest = readManifest(root)
  if (typeof manifest?.name !== 'string' || typeof manifest.exports !== 'object' || manifest.exports === null) return {}
  const paths: Record<string, string[]> = {}
  for (const [subpath, target] of Object.entries(manifest.exports)) {
    const entry = typesEntry(target)
    if (entry !== undefined && subpath.startsWith('.')) paths[manifest.name + subpath.slice(1)] = [join(root, entry)]
  }
  return paths
}

function readManifest(root: string): { name?: unknown; exports?: unknown } | undefined {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    return typeof manifest === 'object' && manifest !== null ? manifest : undefined
  } catch {
    return undefined
  }
}

function typesEntry(target: unknown): string | undefined {
  if (typeof target === 'string') return target
  if (typeof target !== 'object' || target === null) return undefined
  for (const [condition, value] of Object.entries(target)) {
    if (['types', 'import', 'node', 'default'].includes(condition)) return typesEntry(value)
  }
  return undefined
}
