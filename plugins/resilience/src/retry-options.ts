import { duration, size, token } from '@gateway/core'
import * as z from 'zod'

const wait = duration({ max: '1h' })
const method = token('must be a method such as PUT')

/** `connect`: no connection to the target. `reset`: closed before an answer. `timeout`: no answer in time. */
const condition = z.union([z.enum(['connect', 'reset', 'timeout', '5xx']), z.int().min(400).max(599)], {
  error: "must be 'connect', 'reset', 'timeout', '5xx' or a status from 400 to 599",
})

export type Condition = z.output<typeof condition>

const percentileOrTime = z.union([z.enum(['p50', 'p75', 'p90', 'p95', 'p99']), duration({ min: '1ms', max: '1h' })])

const hedge = z.strictObject({
  /** A time, or a percentile of the times in which the service answers. */
  after: z
    // Of a union, an error would tell of one side alone.
    .custom<z.input<typeof percentileOrTime>>(value => percentileOrTime.safeParse(value).success, {
      error: "must be a time from 1ms to 1h, or 'p50', 'p75', 'p90', 'p95' or 'p99' of the times to an answer",
    })
    .transform(value => percentileOrTime.parse(value)),
})

const backoff = z
  .strictObject({
    base: wait.prefault('25ms'),
    max: wait.prefault('250ms'),
  })
  .refine(({ base, max }) => base <= max, { path: ['max'], error: 'must not be less than base' })

const settings = {
  /** In all, the first included. */
  attempts: z.int().min(1).max(16).optional(),
  methods: z.array(method).min(1).optional(),
  on: z.array(condition).min(1).optional(),
  /** From an attempt's send to the head of its answer. */
  perTryTimeout: duration({ min: '1ms', max: '1h' }).optional(),
  backoff: backoff.optional(),
  maxBody: size({ max: '16mb' }).optional(),
  maxRetryAfter: wait.optional(),
  hedge: z.union([z.literal(false), hedge]).optional(),
}

const budget = z.strictObject({
  /** Retries and hedges, as a part of the requests of the last ten seconds. */
  ratio: z.number().min(0).max(1).default(0.2),
  /** So many a second are allowed all the same. */
  minPerSecond: z.number().min(0).max(1_000).default(3),
})

export type BudgetOptions = z.output<typeof budget>

export const optionsSchema = z.strictObject({ ...settings, budget: budget.prefault({}) }).prefault({})
export const routeSchema = z.union([z.boolean(), z.strictObject(settings)])
export const serviceSchema = z.strictObject({ budget })

type Given = z.output<z.ZodObject<typeof settings>>

const defaults = {
  attempts: 3,
  // Those that may be repeated (RFC 9110 section 9.2.2) and are forwarded.
  methods: ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'],
  on: ['connect', 'reset', 'timeout', 502, 503, 504],
  perTryTimeout: 0,
  backoff: { base: 25, max: 250 },
  maxBody: 65_536,
  maxRetryAfter: 2_000,
  hedge: false,
} as const satisfies Given

/** What holds on a route: its own settings before those of the plugin. */
export function settingsOf(route: Given, plugin: Given) {
  return {
    attempts: route.attempts ?? plugin.attempts ?? defaults.attempts,
    methods: route.methods ?? plugin.methods ?? defaults.methods,
    on: route.on ?? plugin.on ?? defaults.on,
    perTryTimeout: route.perTryTimeout ?? plugin.perTryTimeout ?? defaults.perTryTimeout,
    backoff: route.backoff ?? plugin.backoff ?? defaults.backoff,
    maxBody: route.maxBody ?? plugin.maxBody ?? defaults.maxBody,
    maxRetryAfter: route.maxRetryAfter ?? plugin.maxRetryAfter ?? defaults.maxRetryAfter,
    hedge: route.hedge ?? plugin.hedge ?? defaults.hedge,
  }
}

export type Settings = ReturnType<typeof settingsOf>
