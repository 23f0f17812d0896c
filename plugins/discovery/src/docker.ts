import type { TargetSpec } from '@gateway/core'
import type { ContainerInfo } from 'dockerode'
import { belongsTo, nameOf, readRoute, readTarget, unreadLabels } from './container.ts'
import { defineProvider, type LeaveOut, reasonOf } from './define-provider.ts'
import { followEngine } from './docker-engine.ts'
import { type DockerOptions, dockerOptions } from './docker-options.ts'

/** Targets from the containers of a Docker engine, by their labels or by what Compose made of them. */
export const docker = defineProvider({
  name: 'docker',
  options: dockerOptions,
  asked: ({ host, tls, resync, prefix, project }) => ({
    host,
    tls,
    resync,
    label: project === undefined ? `${prefix}.service` : `com.docker.compose.project=${project}`,
  }),
  open: followEngine,
  targets: (found: readonly ContainerInfo[], options, service, leaveOut): readonly TargetSpec[] =>
    each(found, options, service, leaveOut, container => {
      const unread = unreadLabels(container, options)
      for (const name of unread) leaveOut(`label ${name} of container ${nameOf(container)}`, 'there is no such label')
      return readTarget(container, options)
    }),
  routes: (found: readonly ContainerInfo[], options, service, leaveOut) =>
    options.routes ? each(found, options, service, leaveOut, readRoute) : [],
})

function each<T>(
  found: readonly ContainerInfo[],
  options: DockerOptions,
  service: string,
  leaveOut: LeaveOut,
  read: (container: ContainerInfo, options: DockerOptions) => T | undefined,
): T[] {
  return found.flatMap(container => {
    try {
      return belongsTo(container, options.service ?? service, options) ? (read(container, options) ?? []) : []
    } catch (error) {
      leaveOut(`container ${nameOf(container)}`, reasonOf(error))
      return []
    }
  })
}
