import { isIPv6 } from 'node:net'
import type { Builder } from '../build/builder.ts'
import type { Input } from '../ir/make-ir.ts'
import { valueAt } from '../read/node.ts'
import { toNumber } from '../table/coerce.ts'
import { anything, type GivenOf, integer, list, node, number, ofPlugins, table, text, texts } from '../table/field.ts'
import { Given } from '../table/given.ts'

const instanceTable = table({
  id: text({ says: 'A name of its own within the service.' }),
  address: text({ says: 'Host name or IP address.', required: true }),
  port: integer({ says: 'Its port.', min: 1, max: 65_535, required: true }),
  health: text({ says: 'Anything but "healthy" gets no traffic.', default: 'healthy' }),
  weight: number({ says: 'Its share of the requests beside others.', min: 0, default: 1 }),
  scheme: text({ says: 'What it speaks.', default: 'http', oneOf: ['http', 'https', 'ws', 'wss'] }),
  protocol: text({ says: 'Another name of scheme.' }),
  tags: texts({ noEffect: 'nothing reads them', quiet: true }),
  metadata: anything({ says: 'Notes; `weight` among them counts.' }),
})

const serviceTable = table(
  {
    name: text({ says: 'The name that rules call it by.', required: true }),
    type: text({ says: 'What its instances speak.', default: 'http' }),
    instances: list(instanceTable, { says: 'Where it runs, at least one.', required: true }),
  },
  { plugins: 'service' },
)

export const staticTable = table({ services: list(serviceTable, { says: 'At least one.', required: true }) })

export function mapStatic(registry: GivenOf<typeof staticTable>, gateway: Builder): void {
  const { services } = registry
  if (services?.length === 0 && services[node].kind === 'sequence' && services[node].items.length === 0) {
    gateway.problems.error(services[node], 'is empty: list a service', { code: 'CONFIG_MISSING_KEY' })
  }
  for (const service of services ?? []) mapService(service, gateway)
}

function mapService(given: GivenOf<typeof serviceTable>, gateway: Builder): void {
  const { name, instances, type } = given
  if (name === undefined || instances === undefined) return
  const known = gateway.services.get(name.value)
  if (known !== undefined) {
    const { line } = known.at.source.place(known.at.offset)
    const message = `there are two services "${name.value}": the first is in line ${line}`
    return gateway.problems.error(name, message, { code: 'CONFIG_DUPLICATE_SERVICE' })
  }
  const service = gateway.addService(name.value, given[node])
  if (instances.length === 0) gateway.problems.error(instances[node], 'is empty: list an instance')
  service.set('targets', instances.map(targetOf))
  for (const [plugin, options] of given[ofPlugins]) service.set(plugin, options)
  // gRPC is spoken over HTTP/2 alone.
  if (type?.value === 'grpc' || instances.some(({ protocol }) => protocol?.value === 'grpc'))
    service.set('protocol', 'http2')
}

function targetOf(instance: GivenOf<typeof instanceTable>): Input {
  const { address, port, health, scheme, protocol } = instance
  const secure = [scheme?.value, protocol?.value].some(word => word === 'https' || word === 'wss')
  const host = address && (isIPv6(address.value) ? `[${address.value}]` : address.value)
  // What is missing has been told of; a stand-in keeps it from being told of twice.
  const url = `${secure ? 'https' : 'http'}://${host ?? 'missing.invalid'}:${port?.value ?? 80}`
  const weight = health !== undefined && health.value !== 'healthy' ? health.map(() => 0) : weightOf(instance)
  const at = new Given(url, instance[node])
  return weight === undefined ? at : new Given({ url: at, weight }, instance[node])
}

function weightOf({ weight, metadata }: GivenOf<typeof instanceTable>): Given<number> | undefined {
  if (weight !== undefined) return weight
  const noted = valueAt(metadata?.node, 'weight')
  const value = noted && toNumber(noted)
  return value === undefined || value < 0 ? undefined : metadata?.map(() => value)
}
