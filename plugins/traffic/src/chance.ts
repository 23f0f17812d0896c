import * as z from 'zod'

/** Of requests; to a hundredth. */
export const percent = z
  .number()
  .min(0)
  .max(100)
  .multipleOf(0.01, { error: 'must be a percentage of at most two decimals' })

/** For tests: gives numbers from 0 up to 1. */
export const random = z
  .custom<() => number>(value => typeof value === 'function', { error: 'must be a function, such as Math.random' })
  .default(() => Math.random)
