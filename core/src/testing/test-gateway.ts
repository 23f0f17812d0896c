import { normalise } from '../config/normalise.ts'
import { ConfigProblems } from '../config/problem.ts'
import type { Log } from '../contract/host.ts'
import type { ExplainRequest, RouteExplanation } from '../control/explanation.ts'
import { type Gateway, Kernel } from '../gateway.ts'
import { buildGeneration } from '../generation/build.ts'
import type { Platform } from '../generation/platform.ts'
import { type SharedLease, SharedStore } from '../generation/shared-store.ts'
import { alone } from '../group/worker-group.ts'
import { FakePool, type Upstream } from './fake-upstream.ts'
import { GatewayClock, type TestClock } from './test-clock.ts'

export interface TestGatewayOptions {
  /**
   * Who answers in place of the targets: by the name of a service, or by the origin of one of its targets, which wins. A
   * service that a request comes to without one fails the test.
   */
  readonly upstreams?: Readonly<Record<string, Upstream>>
  /** When its clock starts. Default: now. */
  readonly startAt?: Date
}

export interface TestRoute {
  readonly name: string
  /** Percent-decoded. */
  readonly params: Readonly<Record<string, string>>
  /** Plugins at work on it, in the order of request hooks. */
  readonly plugins: readonly string[]
  /** Undefined where the gateway answers by itself. */
  readonly service: string | undefined
  /** Path and query that go upstream. */
  readonly upstreamPath: string | undefined
}

export interface TestRequestInit extends RequestInit {
  /** The client's address, as the first listener's `trust` and the plugins see it. Default 127.0.0.1. */
  readonly from?: string
}

export interface LogLine {
  readonly level: keyof Log
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** A gateway without ports, upstreams, and time of its own. Closed at the end of its block by `await using`. */
export interface TestGateway
  extends Pick<Gateway, 'explain' | 'generations' | 'services' | 'shared' | 'warnings' | 'close'>,
    AsyncDisposable {
  /** The config that serves now, as it was given. */
  readonly config: unknown
  readonly clock: TestClock
  /** What was logged, at any level. */
  readonly log: readonly LogLine[]
  /**
   * The route that takes a request, such as `'GET /users/7'` or `'GET https://api.example.com/users/7'`; undefined when
   * none does. Nothing is sent. Why, and everything else about it, tells `explain`.
   */
  route(request: string, init?: { readonly headers?: RequestInit['headers'] }): TestRoute | undefined
  /**
   * A request from a client to the first listener, through all that a request goes through; a path is one of
   * `http://localhost`. Rejects with what a fake upstream threw or lacked, rather than answer 502 for a faulty test.
   */
  fetch(input: Request | string | URL, init?: TestRequestInit): Promise<Response>
  /** What came to the fake upstream of this service or origin, in order; each body can be read once. */
  requests(upstream: string): readonly Request[]
  /** As {@link Gateway.reload}; the fake upstreams stay. */
  reload(config: unknown): ReturnType<Gateway['reload']>
}

/**
 * A gateway of a config, the value of `defineConfig`, to be tested in this process. It opens no port, reads no clock, and
 * asks no target: what is sent to a service is answered by `upstreams`. Plugins run as they are, so what they open they
 * open, and a service with a plugin's connector is asked by that.
 *
 * @throws ConfigProblems when the config is wrong or a plugin fails to set up.
 */
export async function testGateway(config: unknown, options: TestGatewayOptions = {}): Promise<TestGateway> {
  const { upstreams = {}, startAt = new Date() } = options
  const normalised = normalise(config)
  const { model } = normalised
  if (model === undefined) throw new ConfigProblems(normalised.problems)
  const lines: LogLine[] = []
  const log = recordInto(lines)
  const clock = new GatewayClock(startAt.getTime())
  const received = new Map<string, Request[]>()
  const faults: unknown[] = []
  const platform: Platform = {
    deadlines: clock.deadlines,
    now: clock.now,
    every: clock.every,
    after: clock.after,
    pool(origin, { name }) {
      const answer = upstreams[origin] ?? upstreams[name] ?? missing(name, origin, Object.keys(upstreams))
      const keep = (key: string, request: Request) => received.set(key, [...(received.get(key) ?? []), request])
      const watch = {
        deadlines: clock.deadlines,
        fault: (error: unknown) => void faults.push(error),
        received(request: Request) {
          keep(origin, request)
          keep(name, request)
        },
      }
      return { name: `gateway.pool ${name} ${origin}`, create: () => new FakePool(origin, answer, watch) }
    },
  }
  const store = new WatchedStore(alone(), platform)
  const generation = await buildGeneration(1, model, store, log)
  const kernel = new Kernel(generation, log, () => {}, normalised)
  const closing = new AbortController()
  let current = config

  /** A fault is told once: to the request that met it, or else to who closes the gateway. */
  function tellFault(): void {
    const [fault] = faults.splice(0)
    if (fault !== undefined) throw fault
  }

  async function close(): Promise<void> {
    // Nobody waits for requests that a test has left behind, or their time would have to be waited for.
    closing.abort(new Error('the test gateway was closed'))
    await kernel.close()
    tellFault()
  }

  const gateway: TestGateway = {
    clock,
    log: lines,
    get config() {
      return current
    },
    get generations() {
      return kernel.generations
    },
    get services() {
      return kernel.services
    },
    get shared() {
      return kernel.shared
    },
    get warnings() {
      return kernel.warnings
    },
    explain: request => kernel.explain(request),
    route: (request, { headers } = {}) => routeOf(kernel.explain(asked(request, new Headers(headers))).route),
    async fetch(input, { from = '127.0.0.1', ...init } = {}) {
      const request = new Request(input instanceof Request ? input : new URL(input, base), init)
      // As a client would say, who knows it.
      const { body } = init
      const length = typeof body === 'string' ? Buffer.byteLength(body) : body instanceof Uint8Array ? body.length : 0
      if (length > 0) request.headers.set('Content-Length', String(length))
      const signal = AbortSignal.any([request.signal, closing.signal])
      const response = await kernel.fetch(request, { signal }, from)
      tellFault()
      return response
    },
    requests: upstream => received.get(upstream) ?? [],
    async reload(next) {
      const result = await kernel.reload(next)
      current = next
      return result
    },
    close,
    [Symbol.asyncDispose]: close,
  }
  stores.set(gateway, store)
  return gateway
}

const stores = new WeakMap<TestGateway, WatchedStore>()

/** How many of a gateway's generations are still held by something; garbage has to be collected before. */
export function generationsHeld(gateway: TestGateway): number {
  return stores.get(gateway)?.held ?? 0
}

/** Knows which generations are still there: each holds a lease, and nobody else holds that. */
class WatchedStore extends SharedStore {
  #leases: WeakRef<SharedLease>[] = []

  get held(): number {
    this.#leases = this.#leases.filter(lease => lease.deref() !== undefined)
    return this.#leases.length
  }

  override lease(): SharedLease {
    const lease = super.lease()
    this.#leases.push(new WeakRef(lease))
    return lease
  }
}

const base = 'http://localhost'

function recordInto(lines: LogLine[]): Log {
  const write =
    (level: keyof Log) =>
    (message: string, fields: object = {}) =>
      void lines.push({ level, message, fields: { ...fields } })
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

function missing(service: string, origin: string, there: readonly string[]): Upstream {
  const others = there.length === 0 ? '' : ` (there are ${there.join(', ')})`
  return () => {
    const remedy = `give the test gateway \`upstreams: { ${service}: request => new Response() }\``
    throw new Error(
      `a request came to ${origin} of service "${service}", which has no fake upstream${others}: ${remedy}`,
    )
  }
}

/** @throws TypeError for what is no method with a path or URL. */
function asked(request: string, headers: Headers): ExplainRequest {
  const [, method = '', url = ''] = /^(\S+) ((?:\/|https?:\/\/)\S*)$/.exec(request) ?? []
  if (method === '')
    throw new TypeError(`${JSON.stringify(request)} is no request: write method and path, 'GET /users/7'`)
  if (url.startsWith('/') && !headers.has('host')) headers.set('Host', new URL(base).host)
  return { method, url, headers: [...headers] }
}

function routeOf(route: RouteExplanation | null): TestRoute | undefined {
  if (route === null) return undefined
  const { name, params, action, plugins } = route
  return {
    name,
    params,
    plugins: plugins.filter(({ hooks }) => hooks !== null && hooks.length > 0).map(plugin => plugin.name),
    service: action.kind === 'service' ? action.service : undefined,
    upstreamPath: action.kind === 'service' ? action.path : undefined,
  }
}
