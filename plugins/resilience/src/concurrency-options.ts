import { type Context, duration, fieldName } from '@gateway/core'
import * as z from 'zod'

const limit = z.int().min(1).max(1_000_000)

const adaptive = z
  .strictObject({
    min: limit.default(5),
    max: limit.default(1_000),
    /** How much longer than usual answers may take before the limit falls. */
    tolerance: z.number().min(1).max(10).default(1.5),
  })
  .refine(({ min, max }) => min <= max, { path: ['max'], error: 'must not be less than min' })

export const limitSchema = z
  .strictObject({
    limit,
    queue: z.int().min(0).max(100_000).default(0),
    maxWait: duration({ min: '1ms', max: '1h' }).prefault('1s'),
    by: z
      .union([
        z.strictObject({ header: fieldName() }),
        z.custom<(ctx: Context) => string | undefined>(value => typeof value === 'function', {
          error: 'must be { header } or a function of the request',
        }),
      ])
      .optional(),
    adaptive: adaptive.optional(),
  })
  .superRefine((given, issue) => {
    if (given.adaptive === undefined) return
    const report = (path: string, message: string) => issue.addIssue({ code: 'custom', path: [path], message })
    if (given.by !== undefined) report('adaptive', 'cannot go with by: a limit is learned of all requests together')
    const { min, max } = given.adaptive
    if (given.limit < min || given.limit > max)
      report('limit', `must lie between adaptive.min, ${min}, and max, ${max}`)
  })

export type LimitOptions = z.output<typeof limitSchema>
export type AdaptiveOptions = z.output<typeof adaptive>
