import type { Input } from '../ir/make-ir.ts'
import { flag, type GivenOf, integer, mapOf, node, number, table } from '../table/field.ts'
import type { Given } from '../table/given.ts'
import { eachNamed } from './named.ts'
import { section } from './section.ts'

const rules = table({
  maxAttempts: integer({ says: 'Attempts in all; 0 and 1: none is made again.', default: 3 }),
  initialDelay: integer({ says: 'Before the second attempt; 0: the default.', unit: 'ms', min: 0, default: 100 }),
  maxDelay: integer({ says: 'Before any attempt at most; 0: the default.', unit: 'ms', min: 0, default: 30_000 }),
  multiplier: number({ says: 'By how much each wait is longer than the one before.', default: 2 }),
  jitter: flag({ noEffect: 'waits are always random, up to the delay', quiet: true }),
  budgetRatio: number({ says: 'Retries as a part of all requests.', min: 0, max: 1, default: 0.1 }),
})
type Rules = GivenOf<typeof rules>

const keys = table({
  enabled: flag({ says: 'Whether what failed is tried again.', default: false }),
  default: rules,
  routes: mapOf(rules, { says: 'By id of a rule.' }),
  services: mapOf(rules, { says: 'By name of a service.' }),
})

/** What a rule says goes before what its service says, and that before the default; none takes from another. */
export const retry = section('retry', keys, (given, gateway) => {
  if (given?.enabled?.value !== true) return
  const plugin = gateway.plugin('@gateway/resilience', 'retry', given[node])
  // Of what the Go program tries again, what is no risk to do twice: an answer in time, and idempotent methods.
  plugin.set('on', ['connect', 'reset', 408, 429, 500, 502, 503, 504])
  plugin.set('backoff', backoffOf(given.default))
  plugin.set('budget.ratio', given.default?.budgetRatio ?? 0.1)
  const services = eachNamed('service', given.services, gateway.services, gateway)
  for (const [service, { budgetRatio }] of services) service.set('retry.budget.ratio', budgetRatio)
  const ofServices = new Map([...services].map(([{ name }, options]) => [name, options]))
  const own = eachNamed('rule', given.routes, gateway.rules, gateway)
  for (const rules of [given.default, ...services.values(), ...own.values()]) {
    const multiplier = rules?.multiplier
    if (multiplier !== undefined && multiplier.value > 1 && multiplier.value !== 2)
      gateway.problems.unsupported(multiplier, 'each wait is twice as long as the one before')
  }
  for (const { budgetRatio } of own.values()) {
    if (budgetRatio !== undefined)
      gateway.problems.unsupported(budgetRatio, `the budget is the service's: say it under retry.services`)
  }
  for (const rule of gateway.rules.values()) {
    const rules = own.get(rule) ?? ofServices.get(rule.asked.service)
    const attempts = (rules ?? given.default)?.maxAttempts
    const count = attemptsOf(attempts)
    if (count < 2) continue
    const differing = attempts?.map(() => count) ?? (count === 3 ? undefined : count)
    rule.set(
      'retry',
      rules === undefined && differing === undefined ? true : { attempts: differing, ...ownBackoff(rules) },
    )
  }
})

/** The comment in the Go program says that 0 is no retry. */
function attemptsOf(given: Given<number> | undefined): number {
  return given === undefined || given.value < 0 ? 3 : given.value
}

function ownBackoff(rules: Rules | undefined): { readonly [key: string]: Input } {
  return rules === undefined ? {} : { backoff: backoffOf(rules) }
}

function backoffOf(rules: Rules | undefined): Input {
  const { initialDelay, maxDelay } = rules ?? {}
  const base = initialDelay?.value ? initialDelay : undefined
  const max = maxDelay?.value ? maxDelay : undefined
  // A delay that is longer than the longest is the longest.
  const least = Math.min(base?.value ?? 100, max?.value ?? 30_000)
  return {
    base: base?.map(() => `${least}ms`) ?? `${least}ms`,
    max: max?.map(value => `${value}ms`) ?? '30000ms',
  }
}
