/**
 * No circles, on two scales: between files as they load, where types are erased and two files may well describe each
 * other's types; and between the kernel's folders and the workspace's packages as they depend, where a type counts too.
 */
import { dirname } from 'node:path'
import { readImports } from './imports.ts'

type Graph = Map<string, Set<string>>

/** A folder of the kernel, another package, or a file of its own (`core/src/index.ts`). */
const unitOf = (file: string) =>
  /^core\/src\/[^/]+(?=\/)/.exec(file)?.[0] ?? /^(plugins|examples)\/[^/]+/.exec(file)?.[0] ?? file

const { imports } = readImports(process.cwd())
const product = imports.filter(i => !/\.test\.ts$|(^|\/)test\//.test(i.file))
const files = graphOf(product.filter(i => !i.typeOnly).map(i => [i.file, i.target]))
const units = graphOf(product.map(i => [unitOf(i.file), i.target === undefined ? undefined : unitOf(i.target)]))

const circles = [...circlesOf(files), ...circlesOf(units)].map(circle => `circle: ${circle.join(' → ')}`)
if (files.size === 0) circles.push('no import was found at all')
for (const circle of circles) console.error(circle)
console.log(`${files.size} files in ${new Set([...files.keys()].map(dirname)).size} folders, ${circles.length} found`)
process.exitCode = circles.length > 0 ? 1 : 0

function graphOf(edges: readonly (readonly [from: string, to: string | undefined])[]): Graph {
  const graph: Graph = new Map()
  for (const [from, to] of edges) {
    if (to === undefined || from === to) continue
    graph.set(from, (graph.get(from) ?? new Set()).add(to))
  }
  return graph
}

/** The first way back to a node that the walk is still in, for each such edge. */
function circlesOf(graph: Graph): string[][] {
  const circles: string[][] = []
  const done = new Set<string>()
  const path: string[] = []
  const walk = (node: string): void => {
    if (path.includes(node)) {
      circles.push([...path.slice(path.indexOf(node)), node])
      return
    }
    if (done.has(node)) return
    path.push(node)
    for (const next of graph.get(node) ?? []) walk(next)
    path.pop()
    done.add(node)
  }
  for (const node of graph.keys()) walk(node)
  return circles
}
