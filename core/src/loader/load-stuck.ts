import { createRequire } from 'node:module'
import type { Problem } from '../config/problem.ts'
import type { Graph } from './load-bundle.ts'
import type { SourcePlace } from './load-problem.ts'
import { locate, placeOf } from './locate.ts'
import { parseSource } from './locate-parse.ts'

const require = createRequire(import.meta.url)

/** A load that took too long: what it waited for, as far as its sources tell. */
export function stuckProblem(
  file: string,
  { sources, importing }: Pick<Graph, 'sources' | 'importing'>,
  timeoutMs: number,
): Problem {
  const problem = { severity: 'error', code: 'CONFIG_TIMEOUT' } as const
  const [pending] = importing
  if (pending !== undefined) {
    const { specifier, importer } = pending
    const message = `The config was not evaluated within ${timeoutMs} ms: the import of "${specifier}" has not ended`
    const hint = 'A top-level await in that package may never settle.'
    return { ...problem, message, hint, ...(importPlace(importer, specifier) ?? { file }) }
  }
  // Modules run in the reverse of the order in which they are found, by and large.
  const [first, ...more] = [...sources].reverse().flatMap(topLevelAwaits)
  const others = more.map(({ file: other, line, column }) => `${other}:${line}:${column}`)
  const hint =
    others.length === 0
      ? 'What a module awaits while it is evaluated may never settle.'
      : `Or one of these top-level awaits never settles: ${others.join(', ')}`
  const message = `The config was not evaluated within ${timeoutMs} ms: this has not settled`
  return { ...problem, message, hint, ...(first ?? locate(file, []) ?? { file }) }
}

function importPlace(importer: string, specifier: string): SourcePlace | undefined {
  const source = parseSource(importer)
  const found = source?.program.body.find(
    node => 'source' in node && node.source !== null && node.source.value === specifier,
  )
  return source && found && placeOf(source, found)
}

/** Each place at which a module waits while it is evaluated. */
function topLevelAwaits(file: string): SourcePlace[] {
  const source = parseSource(file)
  if (source === undefined) return []
  const { Visitor }: typeof import('oxc-parser') = require('oxc-parser')
  const places: SourcePlace[] = []
  let functions = 0
  const enter = () => void functions++
  const leave = () => void functions--
  const note = (node: { start: number; end: number }) => functions === 0 && places.push(placeOf(source, node))
  new Visitor({
    FunctionDeclaration: enter,
    'FunctionDeclaration:exit': leave,
    FunctionExpression: enter,
    'FunctionExpression:exit': leave,
    ArrowFunctionExpression: enter,
    'ArrowFunctionExpression:exit': leave,
    AwaitExpression: node => void note(node),
    ForOfStatement: node => void (node.await && note(node)),
  }).visit(source.program)
  return places
}
