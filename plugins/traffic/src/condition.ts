import { type Context, fieldName, requestValue, token } from '@gateway/core'
import * as z from 'zod'

/** What a request has to have: a value equal to a text or matching an expression, or with neither any value. */
export type Condition = ({ readonly header: string } | { readonly cookie: string } | { readonly query: string }) & {
  readonly equals?: string | undefined
  readonly matches?: RegExp | undefined
}

export const cookieName = token('must be a name of letters, digits and -_.')

const sources = { header: fieldName().optional(), cookie: cookieName.optional(), query: z.string().min(1).optional() }

/** One of a request's values; of several keys exactly one. */
export const conditionShape = {
  ...sources,
  equals: z.string().min(1).optional(),
  matches: z
    .instanceof(RegExp, { error: 'must be a regular expression, such as /^beta/' })
    .refine(({ global, sticky }) => !global && !sticky, {
      error: 'must not have the flags g and y, which keep a state',
    })
    .optional(),
}

type Read = z.output<z.ZodObject<typeof conditionShape>>

/** What is wrong with it, to be used in a `superRefine`. */
export function checkCondition({ header, cookie, query, equals, matches }: Read, issue: z.RefinementCtx): void {
  const refuse = (message: string) => issue.addIssue({ code: 'custom', message })
  if ([header, cookie, query].filter(name => name !== undefined).length !== 1)
    refuse('needs one of header, cookie and query')
  if (equals !== undefined && matches !== undefined) refuse('has equals and matches: choose one')
}

export function compileCondition(condition: Read): (ctx: Context) => boolean {
  const { equals, matches } = condition
  const read = requestValue(condition)
  return ctx => {
    const value = read(ctx)
    if (value === undefined) return false
    return equals === undefined ? (matches?.test(value) ?? true) : value === equals
  }
}
