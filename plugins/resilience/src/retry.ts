import { definePlugin, type RouteHooks } from '@gateway/core'
import { hedgeAfter } from './hedge-after.ts'
import { Latencies } from './latencies.ts'
import { RetryBudget } from './retry-budget.ts'
import { type BudgetOptions, optionsSchema, routeSchema, serviceSchema, settingsOf } from './retry-options.ts'
import { conditionTest, delayBefore } from './retry-rules.ts'

/** Asked for twice at once, even what may be repeated has to be safe to repeat. */
const hedged = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])
const warnEveryMs = 10_000

/** What is known of a service, kept over reloads. */
interface Record {
  readonly budget: RetryBudget
  readonly latencies: Latencies
  warnedAt: number
}

/**
 * Tries requests that failed again, at another target where there is one, and hedges slow ones, both within one budget for
 * each service. Only on routes that say `retry`.
 */
export const retry = definePlugin({
  name: 'retry',
  // Before what tells the upstream how much time an attempt has.
  stage: 'admit',
  options: optionsSchema,
  routeOptions: routeSchema,
  serviceOptions: serviceSchema,
  setup(host, plugin) {
    const budgets = new Map<string, BudgetOptions>()

    /** Counts requests to a service, and says whether there may be one more attempt. */
    function budgetOf(service: string) {
      const record = host.share<Record>({
        name: `retry.budget ${service}`,
        create: () => ({ budget: new RetryBudget(), latencies: new Latencies(), warnedAt: 0 }),
      })
      const { budget, latencies } = record
      const limits = budgets.get(service) ?? plugin.budget
      const { now } = host.clock
      const take = (): boolean => {
        const isAllowed = budget.take(now(), limits)
        if (!isAllowed && now() - record.warnedAt >= warnEveryMs) {
          record.warnedAt = now()
          host.log.warn('the retry budget is spent: what fails is not tried again', { service })
        }
        return isAllowed
      }
      return { count: () => budget.count(now()), take, latencies }
    }

    return {
      onService({ name, options }) {
        if (options !== undefined) budgets.set(name, options.budget)
      },
      onRoute({ services, options, replay }) {
        if (options === undefined || options === false || services.length === 0) return
        const settings = settingsOf(options === true ? {} : options, plugin)
        const { attempts, perTryTimeout, maxBody, hedge: hedging } = settings
        const methods = new Set(settings.methods)
        const isTriedAgain = conditionTest(settings.on)
        const upstreams = new Map(
          services.map(name => {
            const upstream = budgetOf(name)
            const { latencies, take } = upstream
            return [
              name,
              { ...upstream, hedge: hedging === false ? undefined : hedgeAfter(hedging.after, latencies, take) },
            ]
          }),
        )
        replay.bytes = Math.max(replay.bytes, maxBody)
        const hooks: RouteHooks = {
          onAttempt({ method, service = '' }, attempt) {
            attempt.timeoutMs = perTryTimeout
            if (attempt.number > 1) return
            const upstream = upstreams.get(service)
            upstream?.count()
            if (methods.has(method) && hedged.has(method)) attempt.hedge = upstream?.hedge
          },
          onAttemptEnd(ctx, attempt, outcome) {
            const { number, replayable } = attempt
            const upstream = upstreams.get(ctx.service ?? '')
            if (upstream === undefined) return
            if (hedging !== false && number === 1 && 'status' in outcome) upstream.latencies.add(outcome.headersMs)
            if (number >= attempts || !replayable || !methods.has(ctx.method) || !isTriedAgain(outcome)) return
            const retryInMs = delayBefore(attempt, outcome, settings, host.clock.now())
            if (retryInMs === undefined || retryInMs >= ctx.timeLeftMs || !upstream.take()) return
            return { retryInMs }
          },
        }
        return hooks
      },
    }
  },
})
