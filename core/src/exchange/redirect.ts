import type { Reply } from '../contract/context.ts'
import { rawParams } from '../routing/pattern.ts'
import { fillTemplate } from '../routing/template.ts'
import type { Exchange } from './exchange.ts'
import type { CompiledAction } from './route.ts'

export function redirectReply(exchange: Exchange, action: CompiledAction & { kind: 'redirect' }): Reply {
  const { path, pattern, query } = exchange
  const to = pattern === undefined ? '/' : fillTemplate(action.template, rawParams(pattern, path))
  const location = `${action.origin}${to}${query === '' ? '' : `?${query}`}`
  return { status: action.status, headers: { location } }
}
