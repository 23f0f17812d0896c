import { dirname, relative, resolve, sep } from 'node:path'
import type { Problem } from '@gateway/core'
import type { Ir, ObjectIr } from '../ir/ir.ts'
import { printModule } from '../ir/print.ts'
import { Problems } from '../problems.ts'
import { type Scalar, valueAt } from '../read/node.ts'
import { isOverlay } from '../read/overlay.ts'
import { readConfig, type Surroundings } from '../translate.ts'
import { notesFor } from './notes.ts'
import { Places } from './places.ts'
import { withReferences } from './references.ts'

export interface Conversion {
  /** The text of a `gateway.config.ts`; undefined when a problem is an error. */
  readonly code: string | undefined
  /** What the file says and the text does not, each marked by a comment there. */
  readonly lost: readonly Problem[]
  readonly problems: readonly Problem[]
}

/**
 * Writes a YAML config as the TypeScript that someone would keep: with its comments, and reading the environment variables
 * that it names. It does what the file does, without what the environment lays over it. `folder`: where the text will be.
 *
 * @throws when the file itself cannot be read
 */
export async function convert(file: string, surroundings: Surroundings, folder = dirname(file)): Promise<Conversion> {
  const { config, root, problems } = await readConfig(file, { ...surroundings, names: [] })
  if (config === undefined || root === undefined || problems.some(({ severity }) => severity === 'error')) {
    return { code: undefined, lost: [], problems }
  }
  const places = new Places(root)
  const baked = new Set<Scalar>()
  const carried = new Set<Scalar>()
  const moved = inOrder(withPaths(withReferences(config, baked, carried), dirname(file), folder))
  const lost = new Problems()
  for (const node of places.references()) {
    if (carried.has(node) && !baked.has(node)) continue
    lost.warning(node, `names an environment variable, and is written for what that holds now`)
  }
  for (const name of surroundings.names) {
    if (!isOverlay(name) || surroundings.variable(name) === undefined) continue
    const message = `lays a value over the file, which a TypeScript config does not take from there`
    lost.warning({ source: root.source, offset: root.offset, variable: name }, message)
  }
  const all = [...problems, ...lost.list]
  const top = [root, valueAt(root, 'gateway')].filter(node => node !== undefined)
  const { code } = printModule(moved, notesFor(moved, places, top, all))
  return { code, lost: all, problems }
}

/** Files that it imports are named from the folder of the text. */
function withPaths(config: ObjectIr, from: string, to: string): ObjectIr {
  const moved = (specifier: string) => {
    if (from === to || !/^\.\.?\//.test(specifier)) return specifier
    const path = relative(to, resolve(from, specifier)).replaceAll(sep, '/')
    return path.startsWith('.') ? path : `./${path}`
  }
  const change = (ir: Ir): Ir => {
    if (ir.kind === 'list') return { ...ir, items: ir.items.map(change) }
    if (ir.kind === 'call') return { ...ir, from: moved(ir.from), args: ir.args.map(change) }
    return ir.kind === 'object' ? object(ir) : ir
  }
  const object = (ir: ObjectIr): ObjectIr => {
    return { ...ir, entries: new Map([...ir.entries].map(([key, value]) => [key, change(value)])) }
  }
  return object(config)
}

const routeKeys = ['match', 'methods', 'headers', 'query', 'listener', 'service']

/** Routes begin with what they match. */
function inOrder(config: ObjectIr): ObjectIr {
  const routes = config.entries.get('routes')
  if (routes?.kind !== 'object') return config
  const ordered = [...routes.entries].map(([name, route]): [string, Ir] => {
    if (route.kind !== 'object') return [name, route]
    const first = routeKeys.flatMap(key => {
      const value = route.entries.get(key)
      return value === undefined ? [] : [[key, value] as const]
    })
    return [name, { ...route, entries: new Map([...first, ...route.entries]) }]
  })
  return { ...config, entries: new Map([...config.entries, ['routes', { ...routes, entries: new Map(ordered) }]]) }
}
