import * as z from 'zod'

/** Of requests; to a hundredth. */
export const percent = z
  .number()
  .min(0)
  .max(100)
  .multipleOf(0.01, { error: 'must be a percentage of at most two decimals' })

/** For tests, in place of Math.random. */
export const random = z
  .custom<() => number>(value => typeof value === 'function', { error: 'must be a function, such as Math.random' })
  .optional()
