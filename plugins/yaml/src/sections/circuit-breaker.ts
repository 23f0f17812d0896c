import type { Input } from '../ir/make-ir.ts'
import { flag, type GivenOf, integer, mapOf, node, number, seconds, table } from '../table/field.ts'
import { eachNamed } from './named.ts'
import { section } from './section.ts'

const rules = table({
  maxFailures: integer({ says: 'Failures in a row, after which it opens; 0: the default.', min: 0, default: 5 }),
  failureThreshold: number({
    says: 'Part of the requests that failed, from which on it opens, once there were maxFailures requests.',
    min: 0,
    default: 0.5,
  }),
  timeout: seconds({ says: 'How long it stays open; 0: the default.', min: 0, default: 60 }),
  maxRequests: integer({
    says: 'Requests that are let through after that, and have to do well; 0: the default.',
    min: 0,
    default: 1,
  }),
  interval: seconds({ says: 'The time that requests are counted in; 0: the default.', min: 0, default: 60 }),
})

const keys = table({
  enabled: flag({ says: 'Whether circuits open.', default: false }),
  default: rules,
  routes: mapOf(rules, { says: 'By id of a rule.' }),
  services: mapOf(rules, { says: 'By name of a service, each instance by itself.' }),
})

/** A rule that has none of its own, nor its service, has the default one. */
export const circuitBreaker = section('circuitBreaker', keys, (given, gateway) => {
  if (given?.enabled?.value !== true) return
  gateway.plugin('@gateway/resilience', 'circuitBreaker', given[node])
  const services = eachNamed('service', given.services, gateway.services, gateway)
  for (const [service, options] of services) service.set('circuitBreaker', optionsOf(options))
  const own = new Map(eachNamed('rule', given.routes, gateway.rules, gateway))
  const covered = new Set([...services.keys()].map(({ name }) => name))
  for (const rule of gateway.rules.values()) {
    const options = own.get(rule)
    if (options !== undefined) rule.set('circuitBreaker', optionsOf(options))
    else if (!covered.has(rule.asked.service)) rule.set('circuitBreaker', optionsOf(given.default))
  }
})

function optionsOf(given: GivenOf<typeof rules> | undefined): Input {
  const { maxFailures, failureThreshold: rate, timeout, maxRequests, interval } = given ?? {}
  const failures = maxFailures?.value ? maxFailures : 5
  const isRate = rate !== undefined && rate.value > 0 && rate.value <= 1
  const openFor = timeout?.value ? timeout.map(value => `${value}s`) : '60s'
  const trials = maxRequests?.value ? maxRequests : 1
  return {
    failures,
    errorRate: isRate ? rate : undefined,
    minRequests: failures,
    window: interval?.value ? interval.map(value => `${value}s`) : '60s',
    openFor,
    maxOpenFor: openFor,
    trials,
    closeAfter: trials,
  }
}
