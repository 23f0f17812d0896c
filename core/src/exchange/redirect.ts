import type { Reply } from '../contract/context.ts'
import { rawParams } from '../routing/pattern.ts'
import { fillTemplate } from '../routing/template.ts'
import type { CompiledAction } from './route.ts'
import type { Located } from './upstream-path.ts'

export function redirectReply(exchange: Located, action: CompiledAction & { kind: 'redirect' }): Reply {
  const { pattern, query } = exchange
  const to = pattern === undefined ? '/' : fillTemplate(action.template, rawParams(pattern, exchange.path))
  // Where empty segments are kept, a parameter may begin with a slash, and two at the start would name a host.
  const path = action.origin === '' ? to.replace(/^\/{2,}/, '/') : to
  const location = `${action.origin}${path}${query === '' ? '' : `?${query}`}`
  return { status: action.status, headers: { location } }
}
