import { type Context, defineSlot, duration, type ResponseHead, requestValue } from '@gateway/core'
import * as z from 'zod'
import { cookieName } from './condition.ts'

export const cookieSchema = z
  .strictObject({
    name: cookieName.default('GATEWAY_PLACE'),
    /** How long it is kept; absent: until the browser is closed. */
    ttl: duration({ min: '1s' }).optional(),
    sameSite: z.literal(['Strict', 'Lax', 'None']).default('Lax'),
    /** 'auto': where the client came over TLS. */
    secure: z.union([z.boolean(), z.literal('auto')]).default('auto'),
  })
  .superRefine(({ name, sameSite, secure }, issue) => {
    if (secure === true || (sameSite !== 'None' && !/^__(Host|Secure)-/.test(name))) return
    const message = "must be true with sameSite: 'None' and with names that begin with __Host- or __Secure-"
    issue.addIssue({ code: 'custom', path: ['secure'], message })
  })

type CookieOptions = z.output<typeof cookieSchema>

/** The place of a client that has none yet. */
const given = defineSlot<number>()('split.place')

/**
 * Clients that carry their place with them. It is no secret and not signed: whoever changes it chooses among the services
 * that everybody may come to.
 */
export function placeByCookie(options: CookieOptions, draw: () => number) {
  const { name, ttl, sameSite, secure } = options
  const read = requestValue({ cookie: name })
  const age = ttl === undefined ? '' : `; Max-Age=${Math.ceil(ttl / 1_000)}`
  return {
    placeOf(ctx: Context): number {
      const value = read(ctx)
      if (value !== undefined && /^\d{1,4}$/.test(value)) return Number(value)
      const place = draw()
      ctx.set(given, place)
      return place
    },
    onResponse(ctx: Context, { headers, fromUpstream }: ResponseHead): void {
      const place = ctx.get(given)
      if (place === undefined || !fromUpstream) return
      const isSecure = secure === 'auto' ? ctx.client.scheme === 'https' : secure
      const flags = `${age}; HttpOnly; SameSite=${sameSite}${isSecure ? '; Secure' : ''}`
      headers.append('Set-Cookie', `${name}=${place}; Path=/${flags}`)
    },
  }
}
