import { definePlugin, fieldName, GatewayError, type RouteHooks } from '@gateway/core'
import * as z from 'zod'

const routeSchema = z.strictObject({
  /** In which the upstream is told. */
  header: fieldName().default('X-Request-Timeout'),
  /** `ms`: whole milliseconds. `grpc`: a number and a unit, as `grpc-timeout` has it. Default: by the header's name. */
  format: z.enum(['ms', 'grpc']).optional(),
  /** What the client says there limits the request's time. */
  trust: z.boolean().default(false),
})

/**
 * Tells the upstream how much time it has: what is left of the request's total time, or an attempt's own where that is
 * less. What a client says in its place goes no further, unless it is trusted.
 */
export const deadline = definePlugin({
  name: 'deadline',
  // Behind what gives an attempt its time.
  stage: 'shape',
  routeOptions: routeSchema,
  setup() {
    return {
      onRoute({ options, service }) {
        if (options === undefined || service === undefined) return
        const { header, trust } = options
        const form = forms[options.format ?? (header.toLowerCase() === 'grpc-timeout' ? 'grpc' : 'ms')]
        const hooks: RouteHooks = {
          onAttempt(ctx, { headers, timeoutMs }) {
            const ms = Math.min(ctx.timeLeftMs, timeoutMs > 0 ? timeoutMs : Infinity)
            if (ms === Infinity) headers.delete(header)
            else headers.set(header, form.write(Math.max(1, Math.floor(ms))))
          },
        }
        if (!trust) return hooks
        return {
          ...hooks,
          onRequest(ctx) {
            const ms = form.read(ctx.headers.get(header) ?? '')
            if (ms === undefined) return
            if (ms < 1) throw new GatewayError('GATEWAY_TIMEOUT', `the client gave ${ms} ms in ${header}`)
            ctx.limitTime(ms)
          },
        }
      },
    }
  },
})

interface Form {
  /** Milliseconds; undefined when it says nothing that can be understood. */
  read(text: string): number | undefined
  write(ms: number): string
}

/** Of the gRPC protocol over HTTP/2: at most eight digits and a unit. */
const units: Readonly<Record<string, number>> = { n: 1e-6, u: 1e-3, m: 1, S: 1_000, M: 60_000, H: 3_600_000 }

const forms: Readonly<Record<'ms' | 'grpc', Form>> = {
  ms: {
    read: text => (/^\d{1,15}$/.test(text) ? Number(text) : undefined),
    write: ms => String(ms),
  },
  grpc: {
    read(text) {
      const [, digits, unit = ''] = /^(\d{1,8})([numSMH])$/.exec(text) ?? []
      return digits === undefined ? undefined : Number(digits) * (units[unit] ?? 1)
    },
    write: ms => (ms < 1e8 ? `${ms}m` : `${Math.floor(ms / 1_000)}S`),
  },
}
