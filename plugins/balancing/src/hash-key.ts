import { identity } from '@gateway/auth/contract'
import { type Context, requestValue } from '@gateway/core'

/** A text of a request; undefined where there is none, or an empty one. */
export type Find = (ctx: Context) => string | undefined

/** What of a request decides on its target. */
export type By =
  | 'ip'
  | 'path'
  | 'user'
  | { readonly header: string }
  | { readonly cookie: string }
  | { readonly query: string }

/** The first of them that a request has. */
export function compileHashKey(by: readonly By[]): Find {
  const finds = by.map(findOf)
  const [only] = finds
  if (only !== undefined && finds.length === 1) return only
  return ctx => {
    for (const find of finds) {
      const found = find(ctx)
      if (found !== undefined) return found
    }
    return undefined
  }
}

function findOf(by: By): Find {
  if (by === 'ip') return ctx => ctx.client.address
  if (by === 'path') return ctx => ctx.path
  if (by === 'user') {
    return ctx => {
      const caller = ctx.get(identity)
      return caller && `${caller.method} ${caller.id}`
    }
  }
  return requestValue(by)
}
