import { cpSync, globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'

export const repository = resolve(import.meta.dirname, '../..')

/** A copy of this repository in a folder of its own, to break or to build in; the caller removes it. */
export function copyRepository(): string {
  const tree = mkdtempSync(join(tmpdir(), 'gateway-copy-'))
  const left = new Set(['.git', 'node_modules', 'dist', 'coverage', '.gateway'])
  for (const name of readdirSync(repository)) {
    if (left.has(name)) continue
    cpSync(join(repository, name), join(tree, name), { recursive: true, filter: path => !left.has(basename(path)) })
  }
  const packages = globSync('{core,testing,plugins/*,examples/*}/package.json', { cwd: tree }).map(path => {
    const { name } = JSON.parse(readFileSync(join(tree, path), 'utf8')) as { name: string }
    return { name, folder: join(tree, dirname(path)) }
  })
  linkModules(join(tree, 'node_modules'), packages)
  return tree
}

/** A `node_modules` with the same packages as here, but with the workspace's own taken from where the caller says. */
export function linkModules(modules: string, packages: readonly { name: string; folder: string }[]): void {
  mkdirSync(join(modules, '@gateway'), { recursive: true })
  for (const name of readdirSync(join(repository, 'node_modules'))) {
    if (name === '@gateway' || name === '.cache') continue
    symlinkSync(join(repository, 'node_modules', name), join(modules, name))
  }
  for (const { name, folder } of packages) symlinkSync(folder, join(modules, name))
}
