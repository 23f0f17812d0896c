import { createHash } from 'node:crypto'
import type { Builder } from '../build/builder.ts'
import { call, type Input } from '../ir/make-ir.ts'
import { flag, type GivenOf, integer, node, seconds, table, text } from '../table/field.ts'
import type { Given } from '../table/given.ts'

/** What a balancer of the Go program is here. Sticky sessions go with any. */
const balancers: Readonly<Record<string, Input>> = {
  round_robin: undefined,
  weighted_round_robin: undefined,
  weighted: undefined,
  sticky_session: undefined,
  sticky: undefined,
  weighted_random: 'random',
  random: 'random',
  least_connections: 'leastRequests',
  response_time: 'ewma',
  adaptive: 'ewma',
  consistent_hash: { use: 'ringHash', by: [{ header: 'X-Session-Id' }, { cookie: 'session' }, 'ip'] },
}

export const loadBalance = text({
  says: 'Which instance gets a request.',
  default: 'round_robin',
  oneOf: Object.keys(balancers),
})

export const sessionAffinity = table({
  enabled: flag({ says: 'Whether the requests of a session go to one instance.', default: false }),
  ttl: seconds({ says: 'How long a cookie leads to the same instance.', min: 0, default: 3600 }),
  source: text({ says: 'What tells sessions apart.', default: 'cookie', oneOf: ['cookie', 'header', 'query'] }),
  cookieName: text({ says: 'The cookie that is set.', default: 'GATEWAY_SESSION' }),
  headerName: text({ says: 'The field that a client names its session in.', default: 'X-Session-Id' }),
  queryParam: text({ says: 'The parameter that a client names its session in.', default: 'session_id' }),
  maxEntries: integer({ noEffect: 'nothing has to be remembered of a session', quiet: true }),
})

/** How a rule has its service balanced: options of the service, `balance` and those of the plugin balancing. */
export interface Balancing {
  readonly balance: Input
  readonly sticky: Input
}

export function readBalancing(
  balance: Given<string> | undefined,
  affinity: GivenOf<typeof sessionAffinity> | undefined,
  gateway: Builder,
): Balancing {
  const chosen = balancers[balance?.value ?? 'round_robin']
  const asked = balance?.value === 'sticky_session' || balance?.value === 'sticky'
  const sticky = asked || affinity?.enabled?.value ? stickyOf(affinity) : undefined
  if (chosen !== undefined || sticky !== undefined) {
    const options = gateway.plugin('@gateway/balancing', 'balancing', balance?.node ?? affinity?.[node])
    // Cookies are signed, and a file of the Go program has no key for that.
    if (sticky !== undefined && 'cookie' in sticky) options.set('key', signingKey(gateway))
  }
  return { balance: chosen === undefined ? undefined : balance?.map(() => chosen), sticky }
}

function stickyOf(affinity: GivenOf<typeof sessionAffinity> | undefined): { readonly [key: string]: Input } {
  // Not enabled, the rest of the block does not count.
  const { source, ttl, cookieName, headerName, queryParam } = affinity?.enabled?.value === true ? affinity : {}
  if (source?.value === 'header') return { header: headerName ?? 'X-Session-Id' }
  if (source?.value === 'query') return { query: queryParam ?? 'session_id' }
  const lifetime = ttl?.value ? ttl.map(value => `${value}s`) : '3600s'
  return { cookie: { name: cookieName ?? 'GATEWAY_SESSION', ttl: lifetime } }
}

/**
 * From the environment; without it, one that stays the same for as long as the services have their names, on every machine
 * with this file. Who guesses it can choose an instance for itself, no more.
 */
function signingKey({ services, variable }: Builder): Input {
  if (variable('GATEWAY_STICKY_KEY') !== undefined) return call('@gateway/core', 'secret', ['GATEWAY_STICKY_KEY'])
  const digest = createHash('sha256')
    .update([...services.keys()].toSorted().join('\n'))
    .digest('base64url')
  return call('@gateway/yaml', 'derivedSecret', [digest])
}
