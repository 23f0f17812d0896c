import { identity } from '@gateway/auth/contract'
import { type Context, clientNetwork } from '@gateway/core'

/** Whom a limit counts. */
export type By = 'ip' | 'user' | 'apiKey' | { readonly header: string } | ((ctx: Context) => string | undefined)

/** Undefined: this request is not limited. Two kinds of key never meet. */
export type KeyOf = (ctx: Context) => string | undefined

export function compileKey(by: By): KeyOf {
  if (typeof by === 'function') return by
  if (typeof by === 'object') {
    const name = by.header.toLowerCase()
    return ctx => {
      const value = ctx.headers.get(name)
      return value === undefined || value === '' ? addressKey(ctx) : `h${value}`
    }
  }
  if (by === 'ip') return addressKey
  return ctx => {
    const caller = ctx.get(identity)
    if (caller === undefined || (by === 'apiKey' && caller.method !== 'apiKey')) return addressKey(ctx)
    return `u${caller.method} ${caller.id}`
  }
}

const addressKey = (ctx: Context) => `a${clientNetwork(ctx.client.address)}`
