import { rawParams } from '../routing/pattern.ts'
import { fillTemplate } from '../routing/template.ts'
import type { Exchange } from './exchange.ts'
import type { CompiledAction } from './route.ts'

/** What of a request its paths are made of. */
export type Located = Pick<Exchange, 'path' | 'query' | 'pattern'>
/** How a path becomes the one that goes upstream. */
type UpstreamPaths = Pick<CompiledAction & { kind: 'service' }, 'rewrite' | 'stripPrefix'>

/** Path and query that go upstream. Parameters go in as they came, percent-encoded, so that no value can change the path's shape. */
export function upstreamPath(exchange: Located, action: UpstreamPaths): string {
  const path = rewritten(exchange, action)
  return exchange.query === '' ? path : `${path}?${exchange.query}`
}

function rewritten(exchange: Located, { rewrite, stripPrefix }: UpstreamPaths): string {
  const { path, pattern } = exchange
  if (rewrite !== undefined && pattern !== undefined) return fillTemplate(rewrite, rawParams(pattern, path))
  if (stripPrefix === 0) return path
  return path.length > stripPrefix ? path.slice(stripPrefix) : '/'
}
