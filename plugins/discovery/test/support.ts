import { definePlugin, type ServiceView } from '@gateway/core'
import { discovery } from '@gateway/discovery'
import { expect } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { type LooseConfig, type RunningGateway, startGateway } from '../../../test/support/gateway.ts'
import { recordingBackend } from '../../../test/support/upstream.ts'
import { responseText } from '../../../test/support/wire.ts'

export const named = (name: string) => recordingBackend(() => responseText(200, [], name))

/** One service that is discovered, behind one route for everything. */
export function configOf(discover: unknown, more: LooseConfig = {}): LooseConfig {
  return {
    plugins: [discovery()],
    services: { shop: { discover } },
    routes: { all: { match: 'ANY /*', service: 'shop' } },
    ...more,
  }
}

export const startWith = (discover: unknown, more: LooseConfig = {}) => startGateway(configOf(discover, more))

export async function ask({ gateway }: RunningGateway, path = '/'): Promise<string> {
  const response = await gateway.fetch(`http://gateway.test${path}`)
  const text = (await response.text()).trim()
  return response.status === 200 ? text : String(response.status)
}

/** Targets of the service as `explain` tells them, in order, and why they are stale. */
export function found({ gateway }: RunningGateway) {
  const action = gateway.explain({ method: 'GET', url: 'http://gateway.test/', headers: [] }).route?.action
  if (action?.kind !== 'service') throw new Error('no service takes the request')
  return { urls: action.targets.map(({ url }) => url).sort(), stale: action.stale }
}

export async function eventuallyFinds(running: RunningGateway, urls: readonly string[]): Promise<void> {
  await eventually(() => expect(found(running)).toEqual({ urls: urls.toSorted(), stale: undefined }))
}

export async function eventuallyStale(running: RunningGateway, reason: string): Promise<void> {
  await eventually(() => expect(found(running).stale).toContain(reason))
}

export const messages = ({ log }: RunningGateway, message: string) =>
  log.all.filter(line => line.message === message).map(({ fields }) => fields)

/** Shows a service's targets as plugins see them. */
export function viewing() {
  let view: ServiceView<unknown> | undefined
  const viewing = definePlugin({
    name: 'viewing',
    setup: () => ({
      onService(service) {
        view = service
      },
    }),
  })
  return { plugin: viewing(), targets: () => view?.targets ?? [] }
}
