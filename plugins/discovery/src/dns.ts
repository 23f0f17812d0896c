import { NODATA, NOTFOUND, Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'
import { duration, type TargetSpec } from '@gateway/core'
import * as z from 'zod'
import { defineProvider, reasonOf, type Watcher } from './define-provider.ts'
import { inUrl } from './in-url.ts'
import { pause } from './pause.ts'

const time = duration({ min: '10ms', max: '1d' })

const server = z.string().refine(isServer, {
  error: "must be an address, with a port or without: '10.0.0.53', '10.0.0.53:5353', '[fd00::53]:53'",
})

function isServer(text: string): boolean {
  if (isIP(text) !== 0) return true
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
  return isIP(bracketed ?? plain ?? '') === (bracketed === undefined ? 4 : 6) && Number(port) <= 65_535
}

const options = z
  .strictObject({
    /** Looked up as it is: search domains do not count. */
    name: z.string().min(1).max(255),
    type: z.literal(['A', 'AAAA', 'A+AAAA', 'SRV']).default('A'),
    port: z.int().min(1).max(65_535).optional(),
    scheme: z.literal(['http', 'https']).default('http'),
    servers: z.array(server).min(1).optional(),
    minRefresh: time.prefault('1s'),
    maxRefresh: time.prefault('30s'),
    timeout: time.prefault('2s'),
  })
  .superRefine(({ type, port, minRefresh, maxRefresh }, issue) => {
    const complain = (path: string, message: string) => issue.addIssue({ code: 'custom', path: [path], message })
    if (type === 'SRV' && port !== undefined) complain('port', 'cannot go with type SRV, whose records have one')
    if (type !== 'SRV' && port === undefined) complain('port', 'is missing: addresses have none')
    if (minRefresh > maxRefresh) complain('maxRefresh', 'must not be less than minRefresh')
  })
type Options = z.output<typeof options>

/** Targets from the addresses of a name, or from its SRV records (RFC 2782). */
export const dns = defineProvider({
  name: 'dns',
  options,
  asked: asked => asked,
  open: follow,
  targets: (found: readonly TargetSpec[]) => found,
})

/** Asks again when what was answered is over, as its TTL says, and after failures less and less often. */
function follow(options: Options, watcher: Watcher<readonly TargetSpec[]>): () => void {
  const { name, type, timeout, servers, minRefresh, maxRefresh } = options
  const resolver = new Resolver({ timeout, tries: 2 })
  if (servers !== undefined) resolver.setServers(servers)
  const stop = new AbortController()
  const { signal } = stop
  let failures = 0

  /** How long the answer holds, in milliseconds. */
  async function ask(): Promise<number> {
    try {
      const { targets, ttl } = await (type === 'SRV' ? askServices(resolver, options) : askAddresses(resolver, options))
      failures = 0
      if (!signal.aborted) watcher.found(targets)
      return ttl * 1_000
    } catch (error) {
      if (!signal.aborted) watcher.lost(`${type} of ${name}: ${reasonOf(error)}`)
      return minRefresh * 2 ** failures++
    }
  }

  async function askAgain(): Promise<void> {
    while (!signal.aborted) {
      const wait = Math.min(maxRefresh, Math.max(minRefresh, await ask()))
      // Apart from others who asked at the same moment.
      await pause(wait * (0.9 + 0.1 * Math.random()), signal)
    }
  }

  void askAgain()
  return () => {
    stop.abort()
    resolver.cancel()
  }
}

interface Answer {
  readonly targets: readonly TargetSpec[]
  /** Seconds. */
  readonly ttl: number
}

interface Address {
  readonly address: string
  readonly ttl: number
}

async function askAddresses(resolver: Resolver, { name, type, scheme, port }: Options): Promise<Answer> {
  const families = await Promise.all([
    type === 'AAAA' ? [] : orNone(resolver.resolve4(name, { ttl: true })),
    type === 'A' ? [] : orNone(resolver.resolve6(name, { ttl: true })),
  ])
  const addresses = families.flat()
  if (addresses.length === 0) throw new Error('there is none')
  return { targets: addresses.map(({ address }) => ({ url: origin(scheme, address, port) })), ttl: shortest(addresses) }
}

/**
 * Node tells no TTL of SRV records, so that of their addresses counts. Where TLS is spoken the name stays, since the
 * certificate is for it; it is then looked up as every other name in the config.
 */
async function askServices(resolver: Resolver, { name, scheme }: Options): Promise<Answer> {
  const records = (await resolver.resolveSrv(name)).filter(record => record.name !== '')
  const ranks = [...new Set(records.map(({ priority }) => priority))].sort((a, b) => a - b)
  const answers = await Promise.all(
    records.map(async ({ name: host, port, priority, weight }) => {
      const found = scheme === 'https' ? [] : await orNone(resolver.resolve4(host, { ttl: true }))
      const more = scheme === 'https' || found.length > 0 ? [] : await orNone(resolver.resolve6(host, { ttl: true }))
      const addresses = [...found, ...more]
      const names = scheme === 'https' ? [host] : addresses.map(({ address }) => address)
      const targets = names.map(
        (each): TargetSpec => ({
          url: origin(scheme, each, port),
          // Of 0 they are to get hardly anything, but for where all have it; several addresses share what is one record's.
          weight: (weight === 0 ? 0.01 : weight) / names.length,
          priority: ranks.indexOf(priority),
        }),
      )
      return { targets, addresses }
    }),
  )
  const targets = answers.flatMap(answer => answer.targets)
  // One record without a name says that there is no such service, which is an answer.
  if (targets.length === 0 && records.length > 0) throw new Error('none of its names has an address')
  return { targets, ttl: shortest(answers.flatMap(answer => answer.addresses)) }
}

/** No name, or no record of that type: that there is none is an answer, where there may be others. */
async function orNone(asked: Promise<Address[]>): Promise<Address[]> {
  try {
    return await asked
  } catch (error) {
    const code: unknown = Reflect.get(Object(error), 'code')
    if (code === NODATA || code === NOTFOUND) return []
    throw error
  }
}

const shortest = (addresses: readonly Address[]) => Math.min(...addresses.map(({ ttl }) => ttl))

function origin(scheme: string, host: string, port: number | undefined): string {
  return `${scheme}://${inUrl(host)}:${port}`
}
