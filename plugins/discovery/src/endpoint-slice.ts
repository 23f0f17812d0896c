import type { TargetSpec } from '@gateway/core'
import * as z from 'zod'
import type { LeaveOut } from './define-provider.ts'
import { inUrl } from './in-url.ts'
import type { KubernetesOptions } from './kubernetes-options.ts'

const text = z.string().nullish()
const yesOrNo = z.boolean().nullish()

/** `discovery.k8s.io/v1`, of what matters. */
const endpointSlice = z.object({
  metadata: z.object({ name: z.string() }),
  addressType: z.string(),
  ports: z.array(z.object({ name: text, port: z.number().nullish(), protocol: text, appProtocol: text })).nullish(),
  endpoints: z
    .array(
      z.object({
        addresses: z.array(z.string()),
        conditions: z.object({ ready: yesOrNo, serving: yesOrNo, terminating: yesOrNo }).nullish(),
        zone: text,
        nodeName: text,
        hints: z.object({ forZones: z.array(z.object({ name: z.string() })).nullish() }).nullish(),
        targetRef: z.object({ kind: text, name: text }).nullish(),
      }),
    )
    .nullish(),
})
type Slice = z.output<typeof endpointSlice>
type Endpoint = NonNullable<Slice['endpoints']>[number]
type Port = NonNullable<Slice['ports']>[number]

/** An endpoint at its first address: the API says that the others are to be passed over. */
interface Place {
  readonly endpoint: Endpoint
  readonly address: string
  readonly family: string
  readonly port: Port
}

/** In the order of preference where a service has both, since its pods then are in slices of either. */
const families = ['IPv4', 'IPv6', 'FQDN']

/**
 * The endpoints that are ready, or, when none is, those that end but still serve, as kube-proxy has it. Of a service in both
 * families those of one, so that no pod counts twice.
 */
export function readTargets(
  found: readonly unknown[],
  options: Pick<KubernetesOptions, 'family' | 'port' | 'scheme'>,
  leaveOut: LeaveOut,
): readonly TargetSpec[] {
  const places = found.flatMap(given => placesOf(given, options.port, leaveOut))
  const ready = places.filter(({ endpoint: { conditions } }) => conditions?.ready ?? true)
  const ending = places.filter(({ endpoint: { conditions } }) => conditions?.serving && conditions.terminating)
  const usable = ready.length > 0 ? ready : ending
  const family = options.family ?? families.find(family => usable.some(place => place.family === family))
  const chosen = usable.filter(place => place.family === family)
  // Hints are for all or for none: else some zone would have none that is meant for it.
  const isHinted = chosen.every(({ endpoint }) => hintOf(endpoint) !== undefined)
  return chosen.map(({ endpoint, address, port }) => {
    const { zone, nodeName, targetRef } = endpoint
    const scheme = options.scheme ?? (port.appProtocol === 'https' ? 'https' : 'http')
    const pod = targetRef?.kind === 'Pod' ? targetRef.name : undefined
    return {
      url: `${scheme}://${inUrl(address)}:${port.port}`,
      zone: (isHinted ? hintOf(endpoint) : zone) ?? undefined,
      metadata: { ...(pod && { pod }), ...(nodeName && { node: nodeName }) },
    }
  })
}

const hintOf = ({ hints }: Endpoint) => hints?.forZones?.[0]?.name

function placesOf(given: unknown, wanted: string | number | undefined, leaveOut: LeaveOut): Place[] {
  const { success, data, error } = endpointSlice.safeParse(given)
  if (!success) {
    const [issue] = error.issues
    const name: unknown = Reflect.get(Object(Reflect.get(Object(given), 'metadata')), 'name')
    leaveOut(`EndpointSlice ${name}`, `${issue?.path.join('.')} ${issue?.message}`)
    return []
  }
  const endpoints = data.endpoints ?? []
  // A service whose pods are all gone has one that is empty, and has no ports.
  if (endpoints.length === 0) return []
  const port = portOf(data.ports ?? [], wanted)
  if (typeof port === 'string') {
    leaveOut(`EndpointSlice ${data.metadata.name}`, port)
    return []
  }
  return endpoints.flatMap(endpoint => {
    const [address] = endpoint.addresses
    return address === undefined ? [] : { endpoint, address, family: data.addressType, port }
  })
}

/** Or why there is none. */
function portOf(all: readonly Port[], wanted: string | number | undefined): Port | string {
  const ports = all.filter(({ protocol, port }) => (protocol ?? 'TCP') === 'TCP' && port)
  const names = ports.map(({ name, port }) => (name ? `${name} (${port})` : port)).join(', ') || 'none'
  if (wanted !== undefined) {
    const found = ports.find(({ name, port }) => (typeof wanted === 'number' ? port : name) === wanted)
    return found ?? `it has no port ${wanted} over TCP, only ${names}`
  }
  const [only] = ports
  return only !== undefined && ports.length === 1 ? only : `it has these ports: ${names}; say which by "port"`
}
