import { isIP } from 'node:net'
import * as z from 'zod'
import type { TargetSpec } from '../contract/host.ts'
import { defaultHttp2Limits } from '../http2/server-limits.ts'
import { methods } from '../routing/router.ts'
import { Secret, toSecret } from './environment/secret.ts'
import { lintCodes } from './lint-codes.ts'
import { type Duration, parseDuration, parseSize, type Size } from './units.ts'

type Measure<Unit> = z.ZodPipe<z.ZodCustom<Unit, Unit>, z.ZodTransform<number, Unit>>

/** As a config would write them; absent: none. */
interface Bounds<Unit> {
  readonly min?: Unit
  readonly max?: Unit
}

/** A duration as a config writes it; the output is milliseconds. For plugins' options, too. */
export function duration(bounds: Bounds<Duration> = {}): Measure<Duration> {
  return measure(parseDuration, bounds, "a duration, such as 250 (milliseconds), '10s' or '1m'")
}

/** A size as a config writes it; the output is bytes. */
export function size(bounds: Bounds<Size> = {}): Measure<Size> {
  return measure(parseSize, bounds, "a size, such as 1024 (bytes), '16kb' or '10mb'")
}

function measure<Unit extends Duration | Size>(
  parse: (value: unknown) => number | undefined,
  { min, max }: Bounds<Unit>,
  what: string,
): Measure<Unit> {
  const [low = 0, high = Infinity] = [parse(min), parse(max)]
  const range =
    min === undefined ? `be at most ${max}` : max === undefined ? `be at least ${min}` : `lie between ${min} and ${max}`
  return z
    .custom<Unit>(value => parse(value) !== undefined, { error: issue => `must be ${what}, not ${show(issue.input)}` })
    .transform(value => parse(value) ?? 0)
    .refine(value => value >= low && value <= high, { error: `must ${range}` })
}

/**
 * A secret as a config gives it, `secret('NAME')`, `secret.file(path)` or its text; the output is always a Secret. For
 * plugins' options: `check` warns of text.
 */
export function secretText(): z.ZodPipe<
  z.ZodCustom<string | Secret, string | Secret>,
  z.ZodTransform<Secret, string | Secret>
> {
  return z
    .custom<string | Secret>(value => value instanceof Secret || (typeof value === 'string' && value !== ''), {
      error: ({ input }) =>
        input === ''
          ? 'must not be empty'
          : `${input === undefined ? 'is missing: it' : ''} must be secret('NAME'), secret.file(path) or a string`.trim(),
    })
    .transform(toSecret)
}

/** A value as a message shows it: short, and of a secret at most its type. */
export function show(value: unknown): string {
  if (typeof value === 'string')
    return value.length > 60 ? `a string of ${value.length} characters` : JSON.stringify(value)
  if (value === null || typeof value !== 'object') return typeof value === 'function' ? 'a function' : String(value)
  if (value instanceof Secret) return String(value)
  return Array.isArray(value) ? 'an array' : 'an object'
}

const count = z.int().min(0)

/** Of `workers`. */
export const maxWorkers = 64

/** A table by name. Zod passes over `__proto__` in silence, and a rule that is not there must not look as if it were. */
function table<K extends z.ZodType<string, string>, V extends z.ZodType>(key: K, value: V) {
  return z
    .custom<z.input<z.ZodRecord<K, V>>>(
      given => typeof given !== 'object' || given === null || !Object.hasOwn(given, '__proto__'),
      { error: 'cannot have the name "__proto__"' },
    )
    .pipe(z.record(key, value))
}

const tokenText = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly the characters a field value may not have
const headerValue = /^[^\0-\x08\x0a-\x1f\x7f\u0100-\uffff]*$/
// The wire layer and the gateway write these themselves.
const ownHeaders = /^(connection|content-length|transfer-encoding|upgrade|keep-alive|te|trailer|proxy-connection)$/i

const ruleName = z.string().regex(tokenText, { error: issue => `${show(issue.input)} is not a header name` })
const settableName = ruleName.refine(name => !ownHeaders.test(name), {
  error: issue => `"${issue.input}" is set by the gateway itself`,
})
const fieldValue = z
  .string()
  .regex(headerValue, { error: 'holds a character that a header value may not have (CR, LF, NUL or beyond Latin-1)' })

export const headerRules = z.strictObject({
  set: table(settableName, fieldValue).optional(),
  append: table(settableName, fieldValue).optional(),
  remove: z.array(ruleName).optional(),
})

const predicate = z.union([z.string(), z.boolean(), z.instanceof(RegExp)], {
  error: issue => `must be a string, a RegExp, true (present) or false (absent), not ${show(issue.input)}`,
})

export const timeouts = z.strictObject({
  connect: duration().optional(),
  head: duration().optional(),
  idle: duration().optional(),
  total: duration().optional(),
})

const status = (low: number, high: number) => z.int().min(low).max(high)
const header = z.union([fieldValue, z.array(fieldValue)], { error: 'must be a string or an array of strings' })
const reply = z.strictObject({
  status: status(200, 599),
  headers: table(settableName, header).optional(),
  body: z.union([z.string(), z.instanceof(Uint8Array)], { error: 'must be a string or a Uint8Array' }).optional(),
})

const absolutePath = z.string().startsWith('/', { error: issue => `must start with "/", unlike ${show(issue.input)}` })

/** Fields of a route that are the kernel's; `match` and the action are looked at more closely in normalise.ts. */
const names = z.union([z.string(), z.array(z.string()).min(1)], {
  error: issue => `must be the name of a listener or an array of them, not ${show(issue.input)}`,
})

export const routeShape = {
  match: z.string({
    error: issue =>
      issue.input === undefined
        ? "is missing: write method and path, such as 'GET /users/:id'"
        : `must be method and path, such as 'GET /users/:id', not ${show(issue.input)}`,
  }),
  listener: names.optional(),
  methods: z.array(z.literal(methods)).min(1).optional(),
  host: z.union([z.string(), z.array(z.string())], { error: 'must be a host name or an array of them' }).optional(),
  headers: table(ruleName, predicate).optional(),
  query: table(z.string(), predicate).optional(),
  service: z.string().optional(),
  redirect: z
    .union([z.string(), z.strictObject({ to: z.string(), status: z.literal([301, 302, 303, 307, 308]).optional() })], {
      error: issue => `must be a path, a URL or { to, status }, not ${show(issue.input)}`,
    })
    .optional(),
  reply: reply.optional(),
  rewrite: absolutePath.optional(),
  stripPrefix: absolutePath.optional(),
  timeout: z
    .union([duration(), timeouts], {
      error: issue => `must be a duration or { connect, head, idle, total }, not ${show(issue.input)}`,
    })
    .optional(),
  requestHeaders: headerRules.optional(),
  responseHeaders: headerRules.optional(),
}

const hook = z
  .custom<(...args: never) => unknown>(value => typeof value === 'function', { error: 'must be a function' })
  .optional()
export const hookShape = {
  onRequest: hook,
  onPreflight: hook,
  onRequestBody: hook,
  onAttempt: hook,
  onAttemptEnd: hook,
  onResponse: hook,
  onResponseBody: hook,
  onTunnel: hook,
  onError: hook,
  onFinish: hook,
}

const choice = z.union([z.string(), z.looseObject({ use: z.string() })], {
  error: issue => `must be a name, or { use: name, …options }, not ${show(issue.input)}`,
})

/** An origin: scheme, host and port, and nothing else. */
export const origin = z
  .string({ error: issue => `must be an origin such as 'http://127.0.0.1:3001', not ${show(issue.input)}` })
  .superRefine((text, context) => {
    const problem = originProblem(text)
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
  })

function originProblem(text: string): string | undefined {
  if (text.startsWith('unix:/')) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:\/\//i.test(text)) {
    return `must be an origin such as 'http://127.0.0.1:3001', not ${show(text)}`
  }
  if (url.port === '0') return 'has the port 0, on which nobody listens'
  if (url.username !== '' || url.password !== '') return 'must not hold a user or a password'
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || text.endsWith('?') || text.endsWith('#')) {
    return `is an origin and has no path: take ${show(url.origin)} and rewrite the path on the route`
  }
  return undefined
}

const target = z.strictObject({
  url: origin,
  weight: z.number().min(0).optional(),
  priority: count.optional(),
  zone: z.string().min(1).optional(),
  metadata: table(z.string(), z.string()).optional(),
})

/** What a service's `targets` lists: an origin, or `{ url, weight, priority, zone, metadata }`. For plugins' options, too. */
export function targetSpec(): z.ZodType<TargetSpec, string | TargetSpec> {
  const error = (issue: { readonly input?: unknown }) =>
    `must be an origin such as 'http://127.0.0.1:3001' or { url, weight }, not ${show(issue.input)}`
  return z
    .union([origin, target], { error })
    .transform((given): TargetSpec => (typeof given === 'string' ? { url: given } : given))
}

export const serviceShape = {
  targets: z.array(targetSpec()).optional(),
  discover: choice.optional(),
  balance: choice.optional(),
  connector: choice.optional(),
  preserveHost: z.boolean().optional(),
  protocol: z.literal(['http1', 'http2']).optional(),
  pool: z
    .strictObject({
      connections: z.int().min(1).optional(),
      queue: count.optional(),
      idleTimeout: duration().optional(),
      maxAge: duration().optional(),
    })
    .optional(),
  tls: z
    .strictObject({
      ca: z.string().optional(),
      cert: z.string().optional(),
      key: z
        .union([z.string(), z.instanceof(Secret)])
        .transform(key => (key instanceof Secret ? key.value : key))
        .optional(),
      serverName: z.string().optional(),
      minVersion: z.literal(['TLSv1.2', 'TLSv1.3']).optional(),
      verify: z.boolean().optional(),
    })
    .optional(),
}

/** A token (RFC 9110 section 5.6.2), such as a method or the name of a cookie. For plugins' options, too. */
export function token(error: string): z.ZodString {
  return z.string().regex(tokenText, { error })
}

/** The name of a header field (RFC 9110 section 5.1). For plugins' options, too. */
export function fieldName(): z.ZodString {
  return token('must be the name of a header field')
}

/** An address or a CIDR, IPv4 or IPv6: `10.0.0.0/8`. For plugins' options, too; `addressTest` makes a test of a list. */
export function cidr(): z.ZodString {
  return z
    .string()
    .refine(isCidr, { error: issue => `must be an address or a CIDR such as '10.0.0.0/8', not ${show(issue.input)}` })
}
function isCidr(text: string): boolean {
  const [address = '', prefix, rest] = text.split('/')
  const family = isIP(address)
  return (
    family !== 0 &&
    rest === undefined &&
    (prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128)))
  )
}

const trust = z.union([z.literal('none').transform((): string[] => []), z.array(cidr())], {
  error: issue => `must be 'none' or an array of CIDRs, not ${show(issue.input)}`,
})

const pending = size({ min: '1kb', max: '16mb' })

const rate = z.int().min(1).max(1_000_000)
const http2Limits = z.strictObject({
  maxConcurrentStreams: z.int().min(1).max(10_000).default(defaultHttp2Limits.maxConcurrentStreams),
  streamWindow: pending.default(defaultHttp2Limits.streamWindow),
  resetBurst: rate.default(defaultHttp2Limits.resetBurst),
  resetRate: rate.default(defaultHttp2Limits.resetRate),
  pingBurst: rate.default(defaultHttp2Limits.pingBurst),
  pingRate: rate.default(defaultHttp2Limits.pingRate),
  settingsBurst: rate.default(defaultHttp2Limits.settingsBurst),
  settingsRate: rate.default(defaultHttp2Limits.settingsRate),
})

const limits = z.strictObject({
  headSize: size({ min: '256b', max: '1mb' }).default(16 * 1024),
  headFields: z.int().min(1).max(10_000).default(100),
  headTimeout: duration().prefault('10s'),
  bodySize: size().default(0),
  bodyIdleTimeout: duration().prefault('30s'),
  writeIdleTimeout: duration().prefault('60s'),
  keepAliveTimeout: duration().prefault('60s'),
  requestsPerConnection: count.default(10_000),
  connections: count.default(20_000),
  connectionsPerClient: count.default(1_000),
  pendingBytes: pending.default(64 * 1024),
  http2: http2Limits.prefault({}),
})

const paths = z.strictObject({
  encodedSlashes: z.literal(['refuse', 'keep']).default('refuse'),
  dotSegments: z.literal(['refuse', 'resolve']).default('refuse'),
  emptySegments: z.literal(['refuse', 'keep', 'merge']).default('merge'),
  parameters: z.literal(['refuse', 'keep']).default('keep'),
})

const pem = z.string().min(1)
const certificate = { cert: pem, key: z.union([pem, z.instanceof(Secret)]) }
const tlsVersion = z.literal(['TLSv1.2', 'TLSv1.3'])

export const listenerTls = z.strictObject({
  ...certificate,
  certificates: z.array(z.strictObject(certificate)).default([]),
  minVersion: tlsVersion.default('TLSv1.2'),
  maxVersion: tlsVersion.optional(),
  ciphers: z.string().min(1).optional(),
  clientCertificate: z.strictObject({ ca: pem, mode: z.literal(['require', 'optional']) }).optional(),
})

export const listener = z.strictObject({
  port: z
    .int({ error: issue => `must be a port, 0 to 65535, not ${show(issue.input)}` })
    .min(0)
    .max(65_535),
  name: z
    .string()
    .regex(/^[\w.-]+$/, { error: issue => `must be of letters, digits, "_", "-" and ".", unlike ${show(issue.input)}` })
    .optional(),
  exclusive: z.boolean().default(false),
  host: z.string().min(1).optional(),
  trust: trust.default([]),
  tls: listenerTls.optional(),
  http2: z.boolean().default(true),
  proxyProtocol: z.boolean().default(false),
  limits: limits.prefault({}),
  paths: paths.prefault({}),
})

/** Beyond 24 days a timer fires at once. */
const timer = duration({ max: '1d' })

export const settingsShape = {
  listen: z.unknown().optional(),
  timeouts: timeouts.optional(),
  timeoutStatus: z.literal([504, 408]).default(504),
  drainTimeout: timer.prefault('30s'),
  setupTimeout: timer.prefault('10s'),
  workers: z
    .union([z.int().min(1).max(maxWorkers), z.literal('auto')], {
      error: issue => `must be a number from 1 to ${maxWorkers}, or 'auto', not ${show(issue.input)}`,
    })
    .default(1),
  log: z
    .strictObject({
      level: z.literal(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
      access: z.boolean().default(false),
    })
    .prefault({}),
  require: z.array(z.string()).default([]),
  lint: z.partialRecord(z.literal(lintCodes), z.literal(['off', 'warning', 'error'])).default({}),
}
