import type { Builder } from '../build/builder.ts'
import { anything, flag, type GivenOf, integer, mapOf, node, table, text } from '../table/field.ts'
import { Given } from '../table/given.ts'
import { addEndpoint } from './health.ts'
import { section } from './section.ts'

const keys = table({
  enabled: flag({ says: 'Whether operators have a port of their own.', default: false }),
  host: text({ says: 'Address to listen on.', default: '0.0.0.0' }),
  port: integer({ says: 'Port to listen on.', min: 1, max: 65_535 }),
  basePath: text({ says: 'What its paths begin with.', default: '/management' }),
  auth: table({
    enabled: flag({ says: 'Whether callers have to show who they are.', default: true }),
    type: text({ says: 'How they do.', oneOf: ['token', 'bearer', 'basic'] }),
    token: text({ says: 'What they show.' }),
    users: mapOf(text(), { says: 'Passwords by name.' }),
    username: text({ says: 'A single name.' }),
    password: text({ says: 'Its password.' }),
  }),
  endpoints: anything({ says: 'Which paths there are.' }),
})

const port = 'management'

/** Of all that operators may ask, what can be told without a plugin of its own: the states of the gateway. */
export const management = section('management', keys, (given, gateway) => {
  if (given?.enabled?.value !== true) return
  if (given.port === undefined) {
    const message = 'is enabled and has no "port"'
    return gateway.problems.error(given[node], message, { code: 'CONFIG_MISSING_KEY' })
  }
  const missing = 'the plugin "management" does not exist yet'
  if (asksWho(given)) return gateway.problems.unsupported(given[node], `${missing}, and nothing is told to anybody`)
  gateway.problems.unsupported(given[node], `${missing}; there are only health, health/live and health/ready`)
  listen(given, gateway)
})

function asksWho({ auth }: GivenOf<typeof keys>): boolean {
  return auth !== undefined && auth.enabled?.value !== false
}

function listen({ [node]: at, host, port: number, basePath }: GivenOf<typeof keys>, gateway: Builder): void {
  const listener = gateway.listener(port, at)
  listener.set('port', number)
  listener.set('host', host)
  listener.set('name', port)
  listener.set('exclusive', true)
  gateway.plugin('@gateway/health', 'health', at)
  const base = basePath?.value ? basePath : new Given('/management', at)
  const below = (path: string) => base.map(text => `${text.replace(/\/$/, '')}${path}`)
  addEndpoint('health', below('/health'), gateway, port)
  addEndpoint('live', below('/health/live'), gateway, port)
  addEndpoint('ready', below('/health/ready'), gateway, port)
}
