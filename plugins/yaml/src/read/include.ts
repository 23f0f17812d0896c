import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { type Entry, isNull, type Mapping, type Node, valueAt } from './node.ts'
import { parseYaml, type Reading } from './parse.ts'

export interface FileReading extends Reading {
  /** Is told each file that is read, with its content; undefined: there is none. */
  sawFile(file: string, content: Buffer | undefined): void
}

/** Reads a file and those that it includes. Undefined where there is nothing to go on with. */
export async function readFiles(file: string, reading: FileReading): Promise<Node | undefined> {
  let content: Buffer
  try {
    content = await readFile(file)
  } catch (error) {
    reading.sawFile(file, undefined)
    throw error
  }
  reading.sawFile(file, content)
  return read(file, content, [], reading)
}

async function read(
  file: string,
  content: Buffer,
  above: readonly string[],
  reading: FileReading,
): Promise<Node | undefined> {
  const root = parseYaml(file, content.toString('utf8'), reading)
  const list = valueAt(root, 'include')
  if (root === undefined || list === undefined) return root
  const { problems } = reading
  let merged: Node | undefined
  for (const item of list.kind === 'sequence' ? list.items : [list]) {
    if (item.kind !== 'scalar') {
      problems.error(item, 'must be the path of a file')
      continue
    }
    const other = resolve(dirname(file), item.text)
    if (other === file || above.includes(other)) {
      problems.error(item, 'includes a file that includes this one')
      continue
    }
    try {
      const text = await readFile(other)
      reading.sawFile(other, text)
      const included = await read(other, text, [...above, file], reading)
      if (included !== undefined) merged = merged === undefined ? included : merge(merged, included)
    } catch (error) {
      reading.sawFile(other, undefined)
      problems.error(item, `cannot be read: ${error instanceof Error && 'code' in error ? error.code : error}`)
    }
  }
  return merged === undefined ? root : merge(merged, root)
}

/** Mappings key by key, lists of mappings (rules, services) one behind the other; of all else the later one counts. */
function merge(first: Node, second: Node): Node {
  if (isNull(second)) return first
  if (first.kind === 'mapping' && second.kind === 'mapping') return mergeMappings(first, second)
  const areTables = (node: Node) => node.kind === 'sequence' && node.items.every(({ kind }) => kind === 'mapping')
  if (first.kind === 'sequence' && second.kind === 'sequence' && areTables(first) && areTables(second)) {
    return { ...second, items: [...first.items, ...second.items] }
  }
  return second
}

function mergeMappings(first: Mapping, second: Mapping): Mapping {
  const entries = new Map<string, Entry>(first.entries)
  for (const [key, entry] of second.entries) {
    const known = entries.get(key)
    entries.set(key, known === undefined ? entry : { ...entry, value: merge(known.value, entry.value) })
  }
  return { ...second, entries }
}
