import { rawParams } from '../routing/pattern.ts'
import { fillTemplate } from '../routing/template.ts'
import type { Exchange } from './exchange.ts'
import type { CompiledAction } from './route.ts'

/** Path and query that go upstream. Parameters go in as they came, percent-encoded, so that no value can change the path's shape. */
export function upstreamPath(exchange: Exchange, action: CompiledAction & { kind: 'service' }): string {
  const path = rewritten(exchange, action)
  return exchange.query === '' ? path : `${path}?${exchange.query}`
}

function rewritten(exchange: Exchange, { rewrite, stripPrefix }: CompiledAction & { kind: 'service' }): string {
  const { path, pattern } = exchange
  if (rewrite !== undefined && pattern !== undefined) return fillTemplate(rewrite, rawParams(pattern, path))
  if (stripPrefix === 0) return path
  return path.length > stripPrefix ? path.slice(stripPrefix) : '/'
}
