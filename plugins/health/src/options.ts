import { type Duration, duration, type ServiceView } from '@gateway/core'
import * as z from 'zod'

const time = (min: Duration) => duration({ min, max: '1h' })
const count = z.int().min(1).max(1_000)
// In the request it has one byte for its length.
const grpcService = z.string().regex(/^[!-~]{1,127}$/, { error: 'must be true, or the name of a gRPC service' })

const passive = z
  .strictObject({
    failures: count.default(5),
    errorRate: z.number().gt(0).max(1).optional(),
    minRequests: count.default(20),
    /** Ejects also those whose answers come so late against the others'. */
    latency: z
      .strictObject({
        factor: z.number().min(1.5).max(1_000).default(3),
        percentile: z.number().min(1).max(99).default(50),
        atLeast: time('1ms').prefault('100ms'),
      })
      .optional(),
    window: time('1s').prefault('10s'),
    ejectFor: time('10ms').prefault('30s'),
    maxEjectFor: time('10ms').prefault('5m'),
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
  /** Probed by grpc.health.v1.Health/Check, of one service by its name, or of all of the server. */
  grpc: z.union([z.literal(true), grpcService]).optional(),
  headers: z.record(z.string(), z.string()).default({}),
  status: z.array(z.int().min(100).max(599)).min(1).optional(),
  body: z.string().min(1).optional(),
  interval: time('10ms').prefault('10s'),
  timeout: time('10ms').prefault('2s'),
  unhealthyAfter: count.default(3),
  healthyAfter: count.default(2),
  tls: z.strictObject({ expiresIn: duration({ min: '1h', max: '365d' }).prefault('14d') }).optional(),
  passive: z.union([z.literal(false), passive]).prefault({}),
})

export const serviceSchema = service.superRefine(({ tcp, path, grpc, status, body }, issue) => {
  const [, second] = Object.entries({ path, tcp, grpc }).filter(([, value]) => value !== undefined)
  if (second !== undefined)
    issue.addIssue({ code: 'custom', path: [second[0]], message: 'cannot go with another: choose path, tcp or grpc' })
  if (path === undefined && (status ?? body) !== undefined)
    issue.addIssue({ code: 'custom', path: ['path'], message: 'is missing: status and body are those of its answer' })
})

export type ServiceOptions = z.output<typeof serviceSchema>
export type PassiveOptions = z.output<typeof passive>

/** What of the options does not fit the service. */
export function faultsOf({ grpc, tls }: ServiceOptions, service: ServiceView<unknown>): string[] {
  const faults: string[] = []
  if (grpc !== undefined && service.protocol !== 'http2') faults.push("grpc needs protocol: 'http2'")
  // What discovery will find is not known yet.
  const isPlain = service.targets.length > 0 && service.targets.every(({ url }) => !/^https:/i.test(url))
  if (tls !== undefined && isPlain) faults.push('tls looks at certificates, and no target is https')
  return faults
}

export const routeSchema = z.strictObject({ endpoint: z.literal(['health', 'ready', 'live']) })
