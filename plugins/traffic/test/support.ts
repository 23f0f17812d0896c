import type { LooseConfig, RunningGateway } from '../../../test/support/gateway.ts'
import { recordingBackend } from '../../../test/support/upstream.ts'
import { responseText } from '../../../test/support/wire.ts'

/** A server that answers with its name. */
export const backend = (name: string) => recordingBackend(() => responseText(200, [], name))

/** One route for everything, to the first of these services, by their names. */
export function configOf(
  plugins: readonly unknown[],
  targets: Readonly<Record<string, string>>,
  route: object,
  more: LooseConfig = {},
): LooseConfig {
  const services = Object.fromEntries(Object.entries(targets).map(([name, target]) => [name, { targets: [target] }]))
  return {
    plugins,
    services,
    routes: { all: { match: 'ANY /*', service: Object.keys(targets)[0], ...route } },
    ...more,
  }
}

/** Who answered, and the cookie that came along. */
export async function ask({ gateway }: RunningGateway, headers: Record<string, string> = {}, path = '/') {
  const response = await gateway.fetch(`http://gateway.test${path}`, { headers })
  const [field] = response.headers.getSetCookie()
  return { from: await response.text(), status: response.status, field, cookie: field?.split(';')[0] ?? '' }
}

/** How many of as many requests each service answered. */
export async function count(running: RunningGateway, requests: number, headers: (i: number) => Record<string, string>) {
  const counts: Record<string, number> = {}
  for (let i = 0; i < requests; i++) {
    const { from } = await ask(running, headers(i))
    counts[from] = (counts[from] ?? 0) + 1
  }
  return counts
}
