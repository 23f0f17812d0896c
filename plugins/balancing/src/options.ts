import { duration, secretText, token } from '@gateway/core'
import * as z from 'zod'
import { tableSizes } from './maglev.ts'

const name = token('must be a name of letters, digits and -_.')
const part = z.number().min(0).max(1)
const zone = z.string().min(1)

const cookie = z
  .strictObject({
    name: name.default('GATEWAY_SESSION'),
    /** How long a session sticks after its last request; absent: until the browser is closed. */
    ttl: duration({ min: '1s' }).optional(),
    path: z
      .string()
      .regex(/^\/[^;\s]*$/, { error: 'must be a path, such as "/"' })
      .default('/'),
    sameSite: z.literal(['Strict', 'Lax', 'None']).default('Lax'),
    /** 'auto': where the client came over TLS. */
    secure: z.union([z.boolean(), z.literal('auto')]).default('auto'),
  })
  .superRefine(({ name, path, sameSite, secure }, issue) => {
    const refuse = (key: string, message: string) => issue.addIssue({ code: 'custom', path: [key], message })
    if (sameSite === 'None' && secure !== true)
      refuse('secure', "must be true with sameSite: 'None': browsers want both")
    if (name.startsWith('__Host-') && (secure !== true || path !== '/'))
      refuse('name', "with __Host- needs secure: true and path: '/': browsers drop the cookie otherwise")
    if (name.startsWith('__Secure-') && secure !== true)
      refuse('name', 'with __Secure- needs secure: true: browsers drop the cookie otherwise')
  })

export type CookieOptions = z.output<typeof cookie>

const sticky = z.union(
  [z.strictObject({ cookie }), z.strictObject({ header: name }), z.strictObject({ query: z.string().min(1) })],
  { error: "must be { cookie: { … } }, { header: 'X-Session-Id' } or { query: 'session' }" },
)

export type StickyOptions = z.output<typeof sticky>

export const optionsSchema = z
  .strictObject({
    /** Signs cookies of sticky sessions; of several the first, and cookies that another one signed are taken, too. */
    key: z.union([secretText(), z.array(secretText()).min(1)]).optional(),
    /** Where this gateway is. */
    zone: zone.optional(),
  })
  .prefault({})

export const serviceSchema = z.strictObject({
  sticky: sticky.optional(),
  slowStart: duration({ min: '1s', max: '1d' }).optional(),
  panicThreshold: part.default(0),
  priorityThreshold: part.default(0),
  zone: zone.optional(),
  zoneThreshold: part.default(0.5),
})

export type ServiceOptions = z.output<typeof serviceSchema>

const by = z.union(
  [
    z.literal(['ip', 'path', 'user']),
    z.strictObject({ header: name }),
    z.strictObject({ cookie: name }),
    z.strictObject({ query: z.string().min(1) }),
  ],
  { error: "must be 'ip', 'path', 'user', { header }, { cookie } or { query }" },
)
const byAny = z
  .union([by.transform(one => [one]), z.array(by).min(1)], {
    error: "must be 'ip', 'path', 'user', { header }, { cookie }, { query }, or an array of them",
  })
  .prefault('ip')

export const ringSchema = z.strictObject({
  by: byAny,
  replicas: z.int().min(1).max(10_000).default(150),
  bound: z.number().min(1.01).max(100).optional(),
})

export const maglevSchema = z.strictObject({ by: byAny, tableSize: z.literal(tableSizes).default(tableSizes[0]) })

export const leastRequestsSchema = z.strictObject({ choices: z.int().min(2).max(10).default(2) })

export const ewmaSchema = z.strictObject({ decay: duration().prefault('10s'), failure: duration().prefault('5s') })
