import { join } from 'node:path'
import type { Builder } from '../build/builder.ts'
import { call, type Input } from '../ir/make-ir.ts'
import type { Node } from '../read/node.ts'
import { type GivenOf, seconds, table, text } from '../table/field.ts'
import type { Given } from '../table/given.ts'
import { contentOf } from './tls.ts'
import { inSeconds } from './units.ts'

const socket = 'unix:///var/run/docker.sock'
const version = text({ noEffect: 'the engine is asked in words that all its versions know', quiet: true })
const shared = {
  labelPrefix: text({ says: 'What labels of containers begin with.', default: 'gateway' }),
  network: text({ says: 'The Docker network in which containers are reached.' }),
  refreshInterval: seconds({ says: 'Between two looks that no event of the engine asked for.', min: 1, default: 10 }),
  certPath: text({ says: 'Folder of ca.pem, cert.pem and key.pem, for an engine over TLS.' }),
}

export const dockerTable = table({
  host: text({ says: 'The engine: unix:///…, tcp://10.0.0.5:2376.', default: socket }),
  endpoint: text({ says: 'Another name of host.' }),
  version,
  ...shared,
})

export const composeTable = table({
  projectName: text({ says: 'The Compose project whose containers are looked at.', required: true }),
  dockerHost: text({ says: 'The engine: unix:///…, tcp://10.0.0.5:2376.', default: socket }),
  apiVersion: version,
  ...shared,
})

/** Services are whatever rules name: each asks for the containers that have its name in a label. */
export function mapDocker(docker: GivenOf<typeof dockerTable> | undefined, at: Node, gateway: Builder): void {
  discover(gateway, at, optionsOf(docker, docker?.host ?? docker?.endpoint, gateway))
}

/** The same by the names that Compose gave. */
export function mapCompose(compose: GivenOf<typeof composeTable> | undefined, at: Node, gateway: Builder): void {
  if (compose === undefined) {
    const message = 'has no "dockerCompose" with the "projectName" of the containers'
    gateway.problems.error(gateway.root, message, { code: 'CONFIG_MISSING_KEY' })
  }
  const options = optionsOf(compose, compose?.dockerHost, gateway)
  discover(gateway, at, { project: compose?.projectName, ...options })
}

function discover(gateway: Builder, at: Node, options: { readonly [key: string]: Input }): void {
  gateway.plugin('@gateway/discovery', 'discovery', at)
  gateway.discover = service => service.set('discover', { use: 'docker', service: service.name, ...options })
}

type Shared = Pick<GivenOf<typeof dockerTable>, keyof typeof shared>

function optionsOf(
  given: Shared | undefined,
  host: Given<string> | undefined,
  gateway: Builder,
): { readonly [key: string]: Input } {
  const { labelPrefix, network, refreshInterval } = given ?? {}
  const certPath = named(given?.certPath)
  return {
    host: named(host),
    prefix: named(labelPrefix),
    network: named(network),
    resync: inSeconds(refreshInterval) ?? '10s',
    tls: certPath && certificates(certPath, host, gateway),
  }
}

/** An empty text asks for the default. */
const named = (given: Given<string> | undefined) => (given?.value === '' ? undefined : given)

function certificates(path: Given<string>, host: Given<string> | undefined, gateway: Builder): Input {
  if (named(host) === undefined || host?.value.startsWith('unix:')) {
    const message = 'has no effect: the engine is reached by a socket of this machine'
    gateway.problems.warning(path, message, { code: 'CONFIG_NO_EFFECT' })
    return undefined
  }
  const file = (name: string) => path.map(folder => join(folder, name))
  return {
    ca: contentOf(file('ca.pem'), gateway),
    cert: contentOf(file('cert.pem'), gateway),
    key: call('@gateway/core', 'secret.file', [file('key.pem')], path.node),
  }
}
