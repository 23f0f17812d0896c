import { duration, fieldName } from '@gateway/core'
import * as z from 'zod'
import { statusList } from './failure.ts'

const time = () => duration({ min: '10ms', max: '1h' })
const count = z.int().min(1).max(1_000)
const rate = z.number().gt(0).max(1)

const rules = {
  /** In a row. */
  failures: z.union([count, z.literal(false)]).default(5),
  /** Part of the calls in a window. */
  errorRate: z.union([rate, z.literal(false)]).default(0.5),
  slowerThan: time().optional(),
  slowRate: rate.default(0.5),
  minRequests: count.default(20),
  window: time().prefault('10s'),
  openFor: time().prefault('5s'),
  maxOpenFor: time().prefault('1m'),
  /** At a time, while half-open. */
  trials: count.default(1),
  /** Successes, after which it closes. */
  closeAfter: count.default(2),
  failureStatus: statusList().optional(),
}

const fallback = z
  .strictObject({
    status: z.int().min(200).max(599).default(200),
    headers: z.record(fieldName(), z.string()).default({}),
    body: z.string().optional(),
  })
  .transform(({ headers, ...reply }) => {
    const says = Object.keys(headers).some(name => name.toLowerCase() === 'cache-control')
    // A cache, here or further down, would give it to others when the circuit has long been closed.
    return { ...reply, headers: says ? headers : { ...headers, 'Cache-Control': 'no-store' } }
  })

type Given = z.output<z.ZodObject<typeof rules>>

function check({ openFor, maxOpenFor, failures, errorRate, slowerThan }: Given, issue: z.core.$RefinementCtx): void {
  const report = (path: string, message: string) => issue.addIssue({ code: 'custom', path: [path], message })
  if (openFor > maxOpenFor) report('maxOpenFor', 'must not be less than openFor')
  if (failures === false && errorRate === false && slowerThan === undefined)
    report('failures', 'nothing would open it: give failures, errorRate or slowerThan')
}

export const serviceSchema = z.strictObject(rules).superRefine(check)
export const routeSchema = z.strictObject({ ...rules, fallback: fallback.optional() }).superRefine(check)

export type CircuitOptions = z.output<typeof serviceSchema>
export type RouteCircuitOptions = z.output<typeof routeSchema>
