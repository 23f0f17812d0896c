import type { Builder } from '../build/builder.ts'
import { Rule } from '../build/rule.ts'
import type { Input } from '../ir/make-ir.ts'
import { either, flag, type GivenOf, integer, mapOf, node, seconds, table, text, texts } from '../table/field.ts'
import type { Given } from '../table/given.ts'
import { section } from './section.ts'
import { inSecondsOrDefault } from './units.ts'

const check = table({
  type: text({ says: 'How instances are asked.', required: true, oneOf: ['http', 'tcp', 'grpc', 'exec'] }),
  interval: seconds({ says: 'Between two rounds; 0: the default.', min: 0, default: 30 }),
  timeout: seconds({ says: 'For an answer; 0: the default.', min: 0, default: 5 }),
  config: table({
    type: text({
      says: 'For a check by the name of a service: how its instances are asked.',
      oneOf: ['http', 'tcp', 'grpc'],
    }),
    path: text({ says: 'What is asked by GET.', default: '/health' }),
    url: text({ says: 'A URL beside the services.' }),
    address: text({ says: 'A host and port beside the services.' }),
    service: text({ says: 'The gRPC service that is asked for.' }),
    command: text({ says: 'A program beside the services.' }),
    args: either({ scalar: text(), list: texts() }),
  }),
})
type Check = GivenOf<typeof check>

const keys = table({
  enabled: flag({ says: 'Whether the gateway tells how it is, and looks how services are.', default: false }),
  healthPath: text({ says: 'Where it tells of itself and of each service.' }),
  readyPath: text({ says: 'Where it tells whether it can take requests.' }),
  livePath: text({ says: 'Where it tells that it runs.' }),
  interval: seconds({ says: 'Of checks that do not say.', min: 0, default: 30 }),
  timeout: seconds({ says: 'Of checks that do not say.', min: 0, default: 5 }),
  healthyThreshold: integer({ says: 'Successes in a row after which an instance is back.', min: 0, default: 1 }),
  unhealthyThreshold: integer({ says: 'Failures in a row after which an instance is out.', min: 0, default: 1 }),
  checks: mapOf(check, { says: 'By name of a service, whose instances are then asked.' }),
})
type Health = GivenOf<typeof keys>

export const health = section('health', keys, (given, gateway) => {
  if (given?.enabled?.value !== true) return
  gateway.plugin('@gateway/health', 'health', given[node])
  addEndpoint('health', given.healthPath, gateway)
  addEndpoint('ready', given.readyPath, gateway)
  addEndpoint('live', given.livePath, gateway)
  for (const [name, check] of given.checks ?? []) {
    const service = gateway.serviceAt(name, check[node])
    if (service !== undefined) service.set('health', probesOf(check, given, gateway))
    else
      gateway.problems.unsupported(check[node], `there is no service "${name}", and nothing but services is looked at`)
  }
})

/** A path that the gateway itself answers, before any rule that takes it. */
export function addEndpoint(
  endpoint: 'health' | 'ready' | 'live',
  path: Given<string> | undefined,
  gateway: Builder,
  listener?: string,
): void {
  if (path === undefined || path.value === '') return
  if (!path.value.startsWith('/')) return gateway.problems.error(path, 'must begin with a slash')
  const name = `gateway ${endpoint}${listener === undefined ? '' : ` on ${listener}`}`
  const rule = new Rule(name, path.node, { paths: [path.value], methods: ['GET'], service: '', isFor: undefined })
  const route = rule.member(name)
  route.set(
    'match',
    path.map(text => `GET ${text}`),
  )
  route.set('listener', listener)
  route.set('reply', { status: 200 })
  route.set('health', { endpoint })
  gateway.rules.set(name, rule)
}

function probesOf({ type, interval, timeout, config }: Check, common: Health, gateway: Builder): Input {
  const how = config?.type ?? type
  for (const other of [config?.url, config?.address, config?.command]) {
    if (other !== undefined)
      gateway.problems.unsupported(other, 'the instances of the service are asked, at their own addresses')
  }
  if (how?.value === 'exec') {
    gateway.problems.unsupported(how, 'no programs are run: instances are asked by http, tcp or grpc')
    return undefined
  }
  const probes = {
    http: { path: config?.path ?? '/health' },
    tcp: { tcp: true },
    grpc: { grpc: config?.service ?? true },
  }
  return {
    ...(how && probes[how.value]),
    interval: inSecondsOrDefault(interval ?? common.interval) ?? '30s',
    timeout: inSecondsOrDefault(timeout ?? common.timeout) ?? '5s',
    unhealthyAfter: common.unhealthyThreshold?.value ? common.unhealthyThreshold : 1,
    healthyAfter: common.healthyThreshold?.value ? common.healthyThreshold : 1,
    passive: false,
  }
}
