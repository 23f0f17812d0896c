import { setTimeout as wait } from 'node:timers/promises'
import { type Context, definePlugin, duration, GatewayError, problem, type Reply, type RouteHooks } from '@gateway/core'
import * as z from 'zod'
import { percent, random } from './chance.ts'
import { checkCondition, compileCondition, conditionShape } from './condition.ts'

const time = duration({ min: '1ms', max: '1h' })

const routeOptions = z
  .strictObject({
    delay: z
      .strictObject({
        for: z.union(
          [
            time,
            z
              .tuple([time, time])
              .refine(([least, most]) => least <= most, { error: 'must have the shorter time first' }),
          ],
          {
            error: "must be a time from 1ms to 1h, or a range of two, such as ['100ms', '2s']",
          },
        ),
        percent: percent.default(100),
      })
      .optional(),
    abort: z
      .strictObject({
        status: z.int().min(400).max(599).optional(),
        cut: z.literal(true).optional(),
        percent: percent.default(100),
      })
      .refine(({ status, cut }) => (status === undefined) !== (cut === undefined), {
        error: 'needs either a status or cut: true',
      })
      .optional(),
    when: z.array(z.strictObject(conditionShape).superRefine(checkCondition)).default([]),
  })
  .refine(({ delay, abort }) => (delay ?? abort) !== undefined, { error: 'needs a delay or an abort' })

type Faults = z.output<typeof routeOptions>

/**
 * Has requests fail on purpose, to see what becomes of those who send them. `enabled` has to be said: a config that is
 * shipped by mistake says in the log what it does.
 */
export const faults = definePlugin({
  name: 'faults',
  stage: 'admit',
  options: z.strictObject({ enabled: z.boolean(), random }),
  routeOptions,
  setup: (host, { enabled, random = Math.random }) => ({
    onRoute({ name, options }) {
      if (options === undefined || !enabled) return
      host.log.warn('requests fail on purpose', { route: name })
      return hooksOf(options, random)
    },
  }),
})

function hooksOf({ delay, abort, when }: Faults, random: () => number): RouteHooks {
  const conditions = when.map(compileCondition)
  const strikes = (fault: { readonly percent: number }) => random() * 100 < fault.percent
  const end = (ctx: Context) => (abort !== undefined && strikes(abort) ? failureOf(ctx, abort.status) : undefined)
  return {
    onRequest(ctx) {
      if (!conditions.every(holds => holds(ctx))) return
      if (delay === undefined || !strikes(delay)) return end(ctx)
      const [least, most] = typeof delay.for === 'number' ? [delay.for, delay.for] : delay.for
      // Who has left waits no longer; nobody hears of what comes after.
      return wait(least + random() * (most - least), undefined, { signal: ctx.signal }).then(
        () => end(ctx),
        () => undefined,
      )
    },
  }
}

/** @throws GatewayError that cuts the client off, where there is no status. */
function failureOf(ctx: Context, status: number | undefined): Reply {
  const code = 'FAULT_INJECTED'
  if (status !== undefined) return problem(ctx, { status, code, title: 'Fault injected on purpose' })
  throw new GatewayError(code, 'the connection is cut on purpose', { source: 'client', cutsOff: true })
}
