import type { Context } from '../contract/context.ts'
import type { Target } from '../contract/hooks.ts'
import type { Balancer, Connector, TargetSpec } from '../contract/host.ts'
import type { AttemptTimeouts, ClientRequest, ClientStream, ClientStreamHandler } from '../http1/wire.ts'

/** Connections to one origin, whichever version of HTTP they speak. */
export interface RequestPool {
  /** Requests not yet finished, those that wait included. */
  readonly inFlight: number
  request(request: ClientRequest, timeouts: AttemptTimeouts, handler: ClientStreamHandler): ClientStream
  /** Resolves once every request has ended and every connection is closed. */
  close(): Promise<void>
}

/** A target with the connections to it. The pool outlives the generation; weight and place in a service do not. */
export class UpstreamTarget implements Target {
  readonly url: string
  readonly weight: number
  /** Host and port for the Host field. */
  readonly authority: string
  readonly pool: RequestPool

  constructor(spec: TargetSpec, pool: RequestPool) {
    this.url = spec.url
    this.weight = spec.weight ?? 1
    this.authority = spec.url.startsWith('unix:') ? 'localhost' : new URL(spec.url).host
    this.pool = pool
  }

  get inFlight(): number {
    return this.pool.inFlight
  }
}

/** A named group of targets that serve the same. */
export class Service {
  readonly name: string
  readonly preserveHost: boolean
  readonly connector: Connector | undefined
  readonly #balancer: Balancer
  #targets: readonly UpstreamTarget[]

  constructor(
    name: string,
    targets: readonly UpstreamTarget[],
    options: { balancer: Balancer; connector: Connector | undefined; preserveHost: boolean },
  ) {
    this.name = name
    this.#targets = targets
    this.#balancer = options.balancer
    this.connector = options.connector
    this.preserveHost = options.preserveHost
  }

  get targets(): readonly UpstreamTarget[] {
    return this.#targets
  }

  /** A discovery provider found other targets. */
  set targets(targets: readonly UpstreamTarget[]) {
    this.#targets = targets
  }

  /** The balancer's choice; where that is one of those to `avoid`, the next in the list that is not, if there is one. */
  pick(ctx: Context, avoid?: readonly UpstreamTarget[]): UpstreamTarget | undefined {
    const targets = this.#targets
    const picked = this.#balancer.pick(targets, ctx)
    if (!(picked instanceof UpstreamTarget)) return undefined
    if (avoid === undefined || !avoid.includes(picked)) return picked
    const place = targets.indexOf(picked)
    const others = [...targets.slice(place + 1), ...targets.slice(0, place)]
    return others.find(target => !avoid.includes(target)) ?? picked
  }
}
