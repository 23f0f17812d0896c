import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Definition, Schema } from '@gateway/core'

export interface InstalledPlugin {
  readonly package: string
  /** What the package exports it as. */
  readonly export: string
  readonly definition: PluginDefinition
}

export type PluginDefinition = Pick<
  Definition<string, Schema, Schema, Schema, never, never, never>,
  'name' | 'options' | 'routeOptions' | 'serviceOptions'
>

/**
 * The plugins that a config in a folder can import, by the names of their packages: of all packages that work with the
 * kernel, what `definePlugin` made. One that fails when it is loaded is left out.
 */
export async function installedPlugins(folder: string): Promise<readonly InstalledPlugin[]> {
  const found: InstalledPlugin[] = []
  for (const name of packagesFor(folder)) {
    for (const [exported, value] of Object.entries(await load(name, folder))) {
      if (isFactory(value)) found.push({ package: name, export: exported, definition: value.definition })
    }
  }
  return found
}

function packagesFor(folder: string): readonly string[] {
  const names = new Set<string>()
  for (let home = folder; ; home = dirname(home)) {
    const modules = join(home, 'node_modules')
    for (const name of packagesIn(modules)) if (worksWithKernel(join(modules, name))) names.add(name)
    if (home === dirname(home)) return [...names].sort()
  }
}

function packagesIn(modules: string): readonly string[] {
  if (!existsSync(modules)) return []
  return readdirSync(modules).flatMap(name => {
    if (name.startsWith('.')) return []
    return name.startsWith('@') ? readdirSync(join(modules, name)).map(inner => `${name}/${inner}`) : [name]
  })
}

function worksWithKernel(path: string): boolean {
  try {
    const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'))
    return '@gateway/core' in { ...dependencies, ...peerDependencies }
  } catch {
    // A folder that is no package.
    return false
  }
}

async function load(name: string, folder: string): Promise<object> {
  try {
    return await import(pathToFileURL(createRequire(join(folder, '_')).resolve(name)).href)
  } catch {
    return {}
  }
}

function isFactory(value: unknown): value is { readonly definition: PluginDefinition } {
  return typeof value === 'function' && 'definition' in value
}
