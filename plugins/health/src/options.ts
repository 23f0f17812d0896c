import { duration } from '@gateway/core'
import * as z from 'zod'

const time = (low: number) =>
  duration().refine(ms => ms >= low && ms <= 3_600_000, { error: `must lie between ${low}ms and 1h` })
const count = z.int().min(1).max(1_000)

const passive = z
  .strictObject({
    failures: count.default(5),
    errorRate: z.number().gt(0).max(1).optional(),
    minRequests: count.default(20),
    window: time(1_000).prefault('10s'),
    ejectFor: time(10).prefault('30s'),
    maxEjectFor: time(10).prefault('5m'),
    maxEjected: z.number().min(0).max(1).default(0.5),
  })
  .refine(({ ejectFor, maxEjectFor }) => ejectFor <= maxEjectFor, {
    path: ['maxEjectFor'],
    error: 'must not be less than ejectFor',
  })

const service = z.strictObject({
  /** Probed by connecting alone. */
  tcp: z.literal(true).optional(),
  /** Probed by GET. */
  path: z.string().startsWith('/').optional(),
  headers: z.record(z.string(), z.string()).default({}),
  status: z.array(z.int().min(100).max(599)).min(1).optional(),
  body: z.string().min(1).optional(),
  interval: time(10).prefault('10s'),
  timeout: time(10).prefault('2s'),
  unhealthyAfter: count.default(3),
  healthyAfter: count.default(2),
  passive: z.union([z.literal(false), passive]).prefault({}),
})

export const serviceSchema = service.superRefine(({ tcp, path, status, body }, issue) => {
  if (tcp && path !== undefined)
    issue.addIssue({ code: 'custom', path: ['tcp'], message: 'cannot go with path: choose one' })
  if (path === undefined && (status ?? body) !== undefined)
    issue.addIssue({ code: 'custom', path: ['path'], message: 'is missing: status and body are those of its answer' })
})

export type ServiceOptions = z.output<typeof serviceSchema>
export type PassiveOptions = z.output<typeof passive>

export const routeSchema = z.strictObject({ endpoint: z.literal(['health', 'ready', 'live']) })
