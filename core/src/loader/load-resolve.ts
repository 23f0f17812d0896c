import { existsSync, realpathSync } from 'node:fs'
import { findPackageJSON, isBuiltin } from 'node:module'
import { dirname, extname, isAbsolute, join, relative, resolve, sep } from 'node:path'

export const kernelName = '@gateway/core'
/** The folder of the running kernel's package: what lies in it is never bundled, or there would be two kernels. */
export const kernelRoot = dirname(findPackageJSON('..', import.meta.url) ?? import.meta.dirname)

/** How an import is met: `local` goes into the bundle, `package` is left to Node, which loads it once per process. */
export type ImportKind = 'local' | 'package'

export function isKernelImport(specifier: string): boolean {
  return specifier === kernelName || specifier.startsWith(`${kernelName}/`)
}

export function isRelativeImport(specifier: string): boolean {
  return /^\.{0,2}\//.test(specifier) || specifier === '.' || specifier === '..'
}

/** Files that Node cannot import out of a package by itself: it strips no types there, and JSON asks for an attribute. */
const bundledExtensions = new Set(['.ts', '.mts', '.cts', '.tsx', '.jsx', '.json'])

/**
 * A package is what Node's resolution finds below a `node_modules` by its real path: a workspace package, reached through
 * a symlink, is local. What a local file imports by a relative path is local too, wherever both of them lie.
 */
export function classifyImport(specifier: string, importer: string, file: string): ImportKind {
  if (isInside(kernelRoot, file)) return 'package'
  if (bundledExtensions.has(extname(file))) return 'local'
  const path = isRelativeImport(specifier) ? relative(dirname(importer), file) : file
  return path.split(sep).includes('node_modules') ? 'package' : 'local'
}

export function isInside(folder: string, file: string): boolean {
  const path = relative(folder, file)
  return path !== '' && !path.startsWith('..') && !isAbsolute(path)
}

/** The real path, or the path itself where there is none. */
export function realPath(file: string): string {
  try {
    return realpathSync(file)
  } catch {
    return file
  }
}

/**
 * The path to watch for a module that `importer` reached by a relative import. Under a symlink, as in a Kubernetes
 * ConfigMap, it is the path as the importer's own name leads to it: the real one is deleted with the next version.
 */
export function logicalPath(file: string, realImporter: string, logicalImporter: string): string {
  if (realImporter === logicalImporter) return file
  const candidate = join(dirname(logicalImporter), relative(dirname(realImporter), file))
  return realPath(candidate) === realPath(file) ? candidate : file
}

const extensions = ['.ts', '.mts', '.js', '.mjs', '.cts', '.cjs', '.json']

/** The files that a relative import may mean, the most likely first. */
export function relativeCandidates(specifier: string, folder: string): string[] {
  const base = resolve(folder, specifier)
  // TypeScript sources name each other as the JavaScript they would become.
  const typed = base.replace(/\.([mc]?)js$/, '.$1ts')
  if (extensions.includes(extname(base))) return typed === base ? [base] : [base, typed]
  const appended = [base, join(base, 'index')].flatMap(path => extensions.map(extension => path + extension))
  return extname(base) === '' ? appended : [base, ...appended]
}

/** Where a file would have to appear for a failed import to succeed. */
export function missingCandidates(specifier: string, folder: string): string[] {
  if (isRelativeImport(specifier)) return relativeCandidates(specifier, folder)
  if (isBuiltin(specifier) || specifier.startsWith('#')) return []
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  return [join(nearestNodeModules(folder) ?? join(folder, 'node_modules'), name, 'package.json')]
}

/** The nearest `node_modules` at or above the folder. */
export function nearestNodeModules(folder: string): string | undefined {
  for (let current = folder; ; current = dirname(current)) {
    const candidate = join(current, 'node_modules')
    if (existsSync(candidate)) return candidate
    if (dirname(current) === current) return undefined
  }
}
