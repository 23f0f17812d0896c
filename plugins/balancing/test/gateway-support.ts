import { definePlugin, type ServiceView, type Target } from '@gateway/core'
import { expect } from 'vitest'
import { type LooseConfig, type RunningGateway, startGateway } from '../../../test/support/gateway.ts'
import { recordingBackend } from '../../../test/support/upstream.ts'
import { responseText } from '../../../test/support/wire.ts'

/** Servers that answer with their letters. */
export async function backends(letters: string): Promise<string[]> {
  const started = await Promise.all([...letters].map(letter => recordingBackend(() => responseText(200, [], letter))))
  return started.map(({ origin }) => origin)
}

/** A plugin by which a test holds targets out. */
export function switchboard() {
  let view: ServiceView<unknown> | undefined
  let ended = 0
  const plugin = definePlugin({
    name: 'switchboard',
    setup(host) {
      // The last of a generation, since what services asked for was opened later.
      host.defer(() => void ended++)
      return {
        onService(service) {
          view = service
        },
      }
    },
  })
  const at = (url: string | undefined): Target =>
    view?.targets.find(target => target.url === url) ?? expect.fail(`no target ${url}`)
  return {
    plugin,
    /** Generations that have been cleaned up after. */
    ended: () => ended,
    at,
    takeOut: (url: string | undefined, until?: number) =>
      view?.holdOut(at(url), 'out of order', until) ?? expect.fail('no service'),
  }
}

/** One service behind one route. */
export function start(plugins: readonly unknown[], service: object, more: LooseConfig = {}): Promise<RunningGateway> {
  return startGateway(configOf(plugins, service, more))
}

export function configOf(plugins: readonly unknown[], service: object, more: LooseConfig = {}): LooseConfig {
  return { plugins, services: { shop: service }, routes: { all: { match: 'ANY /*', service: 'shop' } }, ...more }
}

/** Who answered, and the cookie that came along. */
export async function ask({ gateway }: RunningGateway, headers: Record<string, string> = {}, path = '/') {
  const response = await gateway.fetch(`http://gateway.test${path}`, { headers })
  const [field] = response.headers.getSetCookie()
  return { from: await response.text(), field, cookie: field?.split(';')[0], status: response.status }
}
