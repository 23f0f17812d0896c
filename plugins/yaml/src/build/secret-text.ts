import { call, type Input } from '../ir/make-ir.ts'
import type { Given } from '../table/given.ts'

/** A text that must not show: what is a variable in the file is one in the config. */
export function secretText(given: Given<string> | undefined): Input {
  if (given === undefined) return undefined
  const { node } = given
  const [only, ...more] = node.kind === 'scalar' ? node.references : []
  const written = node.kind === 'scalar' ? (node.written ?? node.text) : ''
  const isWhole = more.length === 0 && written.trim() === `\${${only?.name}}`
  return only !== undefined && isWhole ? call('@gateway/core', 'secret', [only.name], node) : given
}

export function secretFile(path: Given<string> | undefined): Input {
  return path && call('@gateway/core', 'secret.file', [path], path.node)
}
