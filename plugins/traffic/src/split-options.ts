import { fieldName, type NamesServices, namingServices } from '@gateway/core'
import * as z from 'zod'
import { percent, random } from './chance.ts'
import { type Condition, checkCondition, conditionShape, cookieName } from './condition.ts'
import type { By } from './place.ts'
import { cookieSchema } from './place-cookie.ts'

export interface SplitOptions<Service extends string> {
  /** Percent of the requests by service; the route's own has the rest. */
  readonly to?: { readonly [Name in Service]?: number }
  /** Before `to`: the first whose condition holds decides. */
  readonly when?: (Condition & { readonly service: Service })[]
  /** Whose requests stay together. Default: each is drawn by itself. */
  readonly by?: By
  /** In place of `by`: clients get a cookie by which theirs stay together. */
  readonly cookie?: z.input<typeof cookieSchema>
}

export interface Names extends NamesServices {
  readonly options: SplitOptions<this['service']>
}

const rule = z.strictObject({ ...conditionShape, service: z.string() }).superRefine(checkCondition)

const by = z.union(
  [z.literal(['ip', 'user']), z.strictObject({ header: fieldName() }), z.strictObject({ cookie: cookieName })],
  { error: "must be 'ip', 'user', { header } or { cookie }" },
)

const split = z
  .strictObject({
    to: z.record(z.string(), percent).optional(),
    when: z.array(rule).default([]),
    by: by.optional(),
    cookie: cookieSchema.optional(),
  })
  .superRefine(({ to, when, by, cookie }, issue) => {
    const refuse = (key: string, message: string) => issue.addIssue({ code: 'custom', path: [key], message })
    if (to === undefined && when.length === 0) refuse('to', 'is missing: say by to or when which requests go elsewhere')
    if (to === undefined && (by ?? cookie) !== undefined)
      refuse(by === undefined ? 'cookie' : 'by', 'is of no use without to')
    if (by !== undefined && cookie !== undefined) refuse('cookie', 'cannot go with by: choose one')
    const sum = sumOf(to)
    if (sum > 100) refuse('to', `adds up to ${sum}%: it must be at most 100`)
  })

export type Split = z.output<typeof split>

export const splitSchema = namingServices<Names>()(split)

/** Without what adding decimals leaves. */
export function sumOf(to: Readonly<Record<string, number>> = {}): number {
  const hundredths = Object.values(to).reduce((sum, share) => sum + Math.round(share * 100), 0)
  return hundredths / 100
}

export const pluginSchema = z.strictObject({ random }).prefault({})
