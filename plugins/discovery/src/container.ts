import type { RouteSpec, TargetSpec } from '@gateway/core'
import type { ContainerInfo } from 'dockerode'
import type { DockerOptions } from './docker-options.ts'
import { inUrl } from './in-url.ts'

/** What each of these throws is why the container cannot be used. */

export function nameOf({ Names, Id }: ContainerInfo): string {
  return Names[0]?.replace(/^\//, '') ?? Id.slice(0, 12)
}

/** Whether it says that it is one of the service's, and that it is to be used now. */
export function belongsTo(container: ContainerInfo, service: string, { prefix, project }: DockerOptions): boolean {
  const label = labelsOf(container, prefix)
  const composed = project === undefined ? undefined : container.Labels['com.docker.compose.service']
  if ((label('service') ?? composed) !== service) return false
  return oneOf(label, 'enable', yesOrNo) && oneOf(label, 'health', healths)
}

const yesOrNo = { true: true, false: false }
const healths = { ...yesOrNo, healthy: true, unhealthy: false }
const schemes = { http: 'http', https: 'https' }

export function readTarget(container: ContainerInfo, options: DockerOptions): TargetSpec {
  const { prefix } = options
  const label = labelsOf(container, prefix)
  const scheme = oneOf(label, 'scheme', schemes, 'http')
  const metaPrefix = `${prefix}.meta.`
  const meta = Object.entries(container.Labels).filter(([name]) => name.startsWith(metaPrefix))
  const metadata = Object.fromEntries(meta.map(([name, value]) => [name.slice(metaPrefix.length), value]))
  const weight = label('weight')
  if (weight !== undefined && !/^\d{1,6}(\.\d{1,6})?$/.test(weight)) {
    throw new Error(`its label ${prefix}.weight must be a number from 0, not "${weight}"`)
  }
  const address = addressOf(container, portOf(container, options), options)
  return { url: `${scheme}://${address}`, ...(weight !== undefined && { weight: Number(weight) }), metadata }
}

export function readRoute(container: ContainerInfo, options: DockerOptions): RouteSpec | undefined {
  const label = labelsOf(container, `${options.prefix}.route`)
  const match = label('match')
  if (match === undefined) return undefined
  // Who cannot be sent to has no say in what is.
  readTarget(container, options)
  const [host, rewrite, stripPrefix] = [label('host'), label('rewrite'), label('stripPrefix')]
  return { match, host, rewrite, stripPrefix, from: `container ${nameOf(container)}` }
}

const labels = ['service', 'port', 'scheme', 'weight', 'health', 'enable']
const routeLabels = ['match', 'host', 'rewrite', 'stripPrefix'].map(name => `route.${name}`)

/** Labels that nobody reads, though they begin like those that are: more likely misspelt than meant for others. */
export function unreadLabels({ Labels }: ContainerInfo, { prefix }: DockerOptions): string[] {
  const read = [...labels, ...routeLabels].map(name => `${prefix}.${name}`)
  return Object.keys(Labels).filter(
    name => name.startsWith(`${prefix}.`) && !name.startsWith(`${prefix}.meta.`) && !read.includes(name),
  )
}

type Label = ((name: string) => string | undefined) & { readonly prefix: string }

function labelsOf({ Labels }: ContainerInfo, prefix: string): Label {
  const label = (name: string) => (Object.hasOwn(Labels, `${prefix}.${name}`) ? Labels[`${prefix}.${name}`] : undefined)
  return Object.assign(label, { prefix })
}

/** What the label stands for: the first of the table when it is not there. */
function oneOf<T>(label: Label, name: string, table: Readonly<Record<string, T>>, absent = Object.keys(table)[0]): T {
  const text = label(name) ?? absent ?? ''
  const found = Object.hasOwn(table, text) ? table[text] : undefined
  if (found !== undefined) return found
  throw new Error(`its label ${label.prefix}.${name} must be one of ${Object.keys(table).join(', ')}, not "${text}"`)
}

/** The port in the container: what its label says, else the config, else the only one that it exposes. */
function portOf(container: ContainerInfo, { prefix, port }: DockerOptions): number {
  const text = labelsOf(container, prefix)('port')
  if (text !== undefined) {
    const number = /^\d{1,5}$/.test(text) ? Number(text) : 0
    if (number >= 1 && number <= 65_535) return number
    throw new Error(`its label ${prefix}.port must be a port from 1 to 65535, not "${text}"`)
  }
  if (port !== undefined) return port
  const exposed = new Set(container.Ports.filter(({ Type }) => Type === 'tcp').map(({ PrivatePort }) => PrivatePort))
  const [only] = exposed
  if (only !== undefined && exposed.size === 1) return only
  throw new Error(`it exposes ${exposed.size} ports: say which by the label ${prefix}.port`)
}

/** Host and port at which the gateway reaches it. */
function addressOf(container: ContainerInfo, port: number, { host, network, published }: DockerOptions): string {
  const machine = host.startsWith('unix:') ? '127.0.0.1' : new URL(host.replace(/^tcp:/, 'http:')).hostname
  if (container.HostConfig.NetworkMode === 'host') return `${machine}:${port}`
  if (published) {
    const binding = container.Ports.find(
      ({ Type, PrivatePort, PublicPort }) => Type === 'tcp' && PrivatePort === port && PublicPort > 0,
    )
    if (binding === undefined) throw new Error(`its port ${port} is not published`)
    const isAny = ['', '0.0.0.0', '::'].includes(binding.IP)
    return `${isAny ? machine : inUrl(binding.IP)}:${binding.PublicPort}`
  }
  const addresses = Object.entries(container.NetworkSettings.Networks).flatMap(([name, settings]) => {
    const address = settings.IPAddress || settings.GlobalIPv6Address
    return address && (network === undefined || name === network) ? [{ name, address }] : []
  })
  const [only, ...others] = addresses
  if (only === undefined) throw new Error(`it has no address${network === undefined ? '' : ` in network "${network}"`}`)
  if (others.length === 0) return `${inUrl(only.address)}:${port}`
  throw new Error(`it is in the networks ${addresses.map(({ name }) => name).join(', ')}: say which by "network"`)
}
