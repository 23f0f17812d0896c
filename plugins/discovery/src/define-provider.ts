import { createHash } from 'node:crypto'
import {
  type Awaitable,
  defineExtension,
  type Log,
  type OutputOf,
  type RouteSpec,
  type Schema,
  Secret,
  type Shared,
  type TargetSpec,
} from '@gateway/core'
import { type Listener, Source } from './source.ts'

/** Longest that a start or a reload waits for the first word of a source, in milliseconds. */
const patienceMs = 5_000

/** What a provider tells of its source, from `open` until it is closed. */
export interface Watcher<Found> extends Listener<Found> {
  readonly log: Log
}

/** A way to find targets. */
export interface Provider<Name extends string, S extends Schema, Asked, Found> {
  /** What a service writes: `discover: { use: name, … }`. */
  readonly name: Name
  readonly options: S
  /** What of the options says who is asked, and for what: plain data and secrets. Services that agree in it share one source. */
  asked(options: OutputOf<S>, service: string): Asked
  /**
   * Begins to look, and returns what ends it. `found` is called with all there is, as often as that changes; `lost` while it
   * cannot be known, with the reason, and then it is up to the provider to look again. What throws here refuses the config.
   */
  open(asked: Asked, watcher: Watcher<Found>): () => Awaitable<void>
  /**
   * The service's targets among all that the source found. `leaveOut` tells the log, once, what looks like one and cannot be,
   * and why. What this throws counts as `lost`.
   */
  targets(found: Found, options: OutputOf<S>, service: string, leaveOut: LeaveOut): readonly TargetSpec[]
  /** Likewise the routes that lead to it beside those of the config. Absent: none. */
  routes?(found: Found, options: OutputOf<S>, service: string, leaveOut: LeaveOut): readonly RouteSpec[]
}

export type LeaveOut = (what: string, why: string) => void

/**
 * Makes a discovery provider that is started once for all services, and all generations, that ask the same. A start and a
 * reload wait up to 5 s for its first word, be it that it is lost; a service for which nothing was found yet answers 503.
 */
export function defineProvider<const Name extends string, S extends Schema, Asked, Found>(
  provider: Provider<Name, S, Asked, Found>,
) {
  return defineExtension({
    point: 'discovery',
    name: provider.name,
    options: provider.options,
    create: (host, options, service) => ({
      async watch(found, lost) {
        const source = host.share(sourceOf(provider, provider.asked(options, service), host.log))
        const first = Promise.withResolvers<void>()
        const timer = setTimeout(first.resolve, patienceMs)
        const tell = (reason: string) => {
          lost(reason)
          first.resolve()
        }
        const leftOut = leaveOutOnce(host.log, { service, discovery: provider.name })
        host.defer(
          source.listen({
            found(what) {
              try {
                leftOut.next()
                const targets = provider.targets(what, options, service, leftOut.tell)
                found(targets, provider.routes?.(what, options, service, leftOut.tell))
                first.resolve()
              } catch (error) {
                tell(reasonOf(error))
              }
            },
            lost: tell,
          }),
        )
        await first.promise
        clearTimeout(timer)
      },
    }),
  })
}

/** Tells what it had not been told the time before. */
function leaveOutOnce(log: Log, about: object): { next(): void; readonly tell: LeaveOut } {
  let before = new Set<string>()
  let now = new Set<string>()
  return {
    next() {
      before = now
      now = new Set()
    },
    tell(what, why) {
      const text = `${what} ${why}`
      if (!before.has(text) && !now.has(text)) log.warn(`${what} is left out`, { ...about, reason: why })
      now.add(text)
    },
  }
}

/** By itself, since it outlives the generation whose host asked first. */
function sourceOf<Asked, Found>(
  { name, open }: Pick<Provider<string, Schema, Asked, Found>, 'name' | 'open'>,
  asked: Asked,
  log: Log,
): Shared<Source<Found>> {
  return {
    name: `discovery.${name} ${digest(asked)}`,
    create: () =>
      new Source<Found>(self =>
        open(asked, { log, found: what => self.found(what), lost: reason => self.lost(reason) }),
      ),
    close: source => source.close(),
  }
}

/** The name of shared state shows, and what is asked may hold secrets. */
function digest(asked: unknown): string {
  const text = JSON.stringify(asked, function (key, value) {
    const plain: unknown = Reflect.get(this, key)
    return plain instanceof Secret ? plain.value : value
  })
  return createHash('sha256').update(text).digest('base64url').slice(0, 10)
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
