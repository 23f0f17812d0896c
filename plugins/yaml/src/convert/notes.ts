import { basename } from 'node:path'
import type { Problem } from '@gateway/core'
import type { Ir, ObjectIr } from '../ir/ir.ts'
import type { Notes } from '../ir/print.ts'
import type { Comments, Node, Spot } from '../read/node.ts'
import { childrenOf, type Places } from './places.ts'

/**
 * Where the comments of a file go, and those that tell of what is lost: to what was made of the value that they stand at,
 * or of the first in it of which anything was made. Those of values that mean nothing here go with these.
 */
export function notesFor(config: ObjectIr, places: Places, top: readonly Node[], lost: readonly Problem[]): Notes {
  const made = madeOf(config)
  const notes = new Map<Ir, { before: string[]; after: string[] }>()
  const header: string[] = []
  const add = (ir: Ir | undefined, where: 'before' | 'after', lines: readonly string[]) => {
    if (ir === undefined || lines.length === 0) return
    const known = notes.get(ir) ?? { before: [], after: [] }
    notes.set(ir, known)
    known[where].push(...lines)
  }
  for (const node of places.nodes) {
    const { comments } = node
    if (comments === undefined) continue
    const [before, after] = linesOf(comments)
    if (top.includes(node)) header.push(...before)
    else add(firstMade(node, made), 'before', before)
    add(made.get(node) ?? lastMade(node, made), 'after', after)
  }
  for (const problem of lost) {
    const ir = nearestMade(problem, places, made)
    const lines = textOf(problem).split('\n')
    if (ir === undefined) header.push(...lines)
    else add(ir, 'before', lines)
  }
  for (const ir of derived(config)) add(ir, 'before', [howToReplace])
  return { header, of: notes }
}

const howToReplace =
  "To do without @gateway/yaml, write secret('GATEWAY_STICKY_KEY') with a key of your own: sessions begin anew."

/** Keys that a config needs and no YAML has. */
function* derived(ir: Ir): Generator<Ir> {
  if (ir.kind === 'call' && ir.name === 'derivedSecret') yield ir
  else if (ir.kind === 'object') for (const value of ir.entries.values()) yield* derived(value)
  else if (ir.kind === 'list') for (const item of ir.items) yield* derived(item)
  else if (ir.kind === 'call') for (const argument of ir.args) yield* derived(argument)
}

/** What was made of each place: of a rule its route, rather than the plugin that it needs. */
function madeOf(config: ObjectIr): ReadonlyMap<Spot, Ir> {
  const made = new Map<Spot, Ir>()
  const first = ['routes', 'services'].flatMap(key => config.entries.get(key) ?? [])
  for (const ir of [...first, config]) collect(ir, made)
  return made
}

function collect(ir: Ir, made: Map<Spot, Ir>): void {
  if (ir.at !== undefined && !made.has(ir.at)) made.set(ir.at, ir)
  if (ir.kind === 'object') for (const value of ir.entries.values()) collect(value, made)
  else if (ir.kind === 'list') for (const item of ir.items) collect(item, made)
  else if (ir.kind === 'call') for (const argument of ir.args) collect(argument, made)
}

function firstMade(node: Node, made: ReadonlyMap<Spot, Ir>): Ir | undefined {
  const own = made.get(node)
  if (own !== undefined) return own
  for (const child of childrenOf(node)) {
    const found = firstMade(child, made)
    if (found !== undefined) return found
  }
  return undefined
}

function lastMade(node: Node, made: ReadonlyMap<Spot, Ir>): Ir | undefined {
  for (const child of childrenOf(node).toReversed()) {
    const found = lastMade(child, made) ?? made.get(child)
    if (found !== undefined) return found
  }
  return undefined
}

function nearestMade({ file, line, column }: Problem, places: Places, made: ReadonlyMap<Spot, Ir>): Ir | undefined {
  if (file === undefined || line === undefined || column === undefined) return undefined
  for (let node = places.at(file, line, column); node !== undefined; node = places.parentOf(node)) {
    const ir = made.get(node)
    if (ir !== undefined) return ir
  }
  return undefined
}

function textOf({ file, line, column, message, hint }: Problem): string {
  const place = file === undefined || line === undefined ? '' : ` ${basename(file)}:${line}:${column}`
  return `NOT CONVERTED${place}: ${message}${hint === undefined ? '' : ` (${hint})`}`
}

function linesOf({ before, after }: Comments): readonly [before: readonly string[], after: readonly string[]] {
  return [before?.split('\n') ?? [], after?.split('\n') ?? []]
}
