import {
  type Context,
  defineSlot,
  type RouteHooks,
  requestValue,
  type Secret,
  type ServiceView,
  type Target,
} from '@gateway/core'
import { hash32 } from './hash.ts'
import type { Find } from './hash-key.ts'
import { tableFor } from './hash-table.ts'
import type { CookieOptions, StickyOptions } from './options.ts'
import { createRing } from './ring.ts'
import { StickyCookies } from './sticky-cookie.ts'

/** How sessions of one service stick. */
export interface Sticky {
  prefer(ctx: Context, targets: readonly Target[]): Target | undefined
  /** For routes to the service. */
  readonly hooks: RouteHooks | undefined
}

export function stickTo(options: StickyOptions, service: ServiceView<unknown>, keys: readonly Secret[]): Sticky {
  if ('cookie' in options) return stickByCookie(options.cookie, service, keys)
  return stickByValue(requestValue(options))
}

const replicas = 150

/** A session that the client names itself needs no memory: its name leads to its target, on every worker. */
function stickByValue(find: Find): Sticky {
  const table = tableFor(targets => createRing(targets, { replicas, bound: undefined }))
  return {
    prefer(ctx, targets) {
      const session = find(ctx)
      return session === undefined ? undefined : table(targets)(hash32(session))
    },
    hooks: undefined,
  }
}

/** What the request's cookie said, and what the response's is to say. */
interface Session {
  /** By URL, since a discovery may bring it anew meanwhile. */
  readonly url: string | undefined
  /** The cookie is to be replaced although its target stays. */
  readonly isDue: boolean
  readonly issue: Target | undefined
}

const session = defineSlot<Session>()('balancing.session')

function stickByCookie(options: CookieOptions, service: ServiceView<unknown>, keys: readonly Secret[]): Sticky {
  const { name, ttl } = options
  const cookies = new StickyCookies(service.name, keys)
  const find = requestValue({ cookie: name })
  const lifetime = ttl === undefined ? 0 : Math.ceil(ttl / 1_000)
  const now = () => Math.floor(Date.now() / 1_000)

  function fieldFor(target: Target, scheme: 'http' | 'https'): string {
    const { path, sameSite, secure } = options
    const value = cookies.issue(target, lifetime === 0 ? 0 : now() + lifetime)
    const age = lifetime === 0 ? '' : `; Max-Age=${lifetime}`
    const isSecure = secure === 'auto' ? scheme === 'https' : secure
    return `${name}=${value}; Path=${path}${age}; HttpOnly; SameSite=${sameSite}${isSecure ? '; Secure' : ''}`
  }

  return {
    prefer(ctx) {
      const value = find(ctx)
      const ticket = value === undefined ? undefined : cookies.read(value, service.targets, now())
      if (ticket === undefined) return undefined
      const { target, expires, isOld } = ticket
      // Half of its time is over: a session that goes on must not run out.
      const isDue = isOld || (expires === 0) !== (lifetime === 0) || (lifetime !== 0 && expires - now() < lifetime / 2)
      ctx.set(session, { url: target?.url, isDue, issue: undefined })
      return target
    },
    hooks: {
      onAttemptEnd(ctx, { target }, outcome) {
        if ('error' in outcome) return
        const said = ctx.get(session)
        const isKept = said?.url === target.url && !said.isDue
        // An earlier attempt may have meant to.
        if (isKept && said.issue === undefined) return
        ctx.set(session, { url: said?.url, isDue: said?.isDue ?? false, issue: isKept ? undefined : target })
      },
      onResponse(ctx, head) {
        const target = ctx.get(session)?.issue
        if (target !== undefined && head.fromUpstream)
          head.headers.append('Set-Cookie', fieldFor(target, ctx.client.scheme))
      },
    },
  }
}
