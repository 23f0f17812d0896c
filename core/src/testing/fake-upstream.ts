import type { GatewayError } from '../contract/errors.ts'
import { upstreamError } from '../http1/client-errors.ts'
import { RequestStream, type StreamQueue } from '../http1/client-stream.ts'
import type { Deadlines } from '../http1/deadlines.ts'
import type { AttemptTimeouts, ClientRequest, ClientStream, ClientStreamHandler } from '../http1/wire.ts'
import type { RequestPool } from '../upstream/target.ts'
import { WaitingLine } from '../upstream/waiting-line.ts'
import { FakeExchange } from './fake-exchange.ts'
import { UpstreamFailure } from './upstream-failure.ts'

/**
 * Plays an upstream: a request as the gateway sends it in, a response out, both streamed. `signal` is aborted when the
 * gateway gives the request up. `refuse`, `unreachable`, `hang` and `reset` play one that fails.
 */
export type Upstream = (request: Request) => Response | Promise<Response>

/** What a fake upstream needs of the gateway under test. */
export interface UpstreamWatch {
  readonly deadlines: Deadlines
  /** A connection was there for it. */
  received(request: Request): void
  /** The test itself is wrong. */
  fault(error: unknown): void
}

/**
 * Stands in for the connections to one target, with the timeouts, aborts and errors of real ones. The upstream gets the
 * whole request, whether it reads it or not.
 */
export class FakePool implements RequestPool, StreamQueue {
  readonly endpoint = undefined
  readonly #origin: string
  readonly #upstream: Upstream
  readonly #watch: UpstreamWatch
  readonly #waiting: WaitingLine<RequestStream>
  readonly #exchanges = new Set<FakeExchange>()
  #onEmpty: (() => void)[] = []

  constructor(origin: string, upstream: Upstream, watch: UpstreamWatch) {
    this.#origin = origin
    this.#upstream = upstream
    this.#watch = watch
    this.#waiting = new WaitingLine(watch.deadlines)
  }

  get inFlight(): number {
    return this.#waiting.size + this.#exchanges.size
  }

  request(request: ClientRequest, timeouts: AttemptTimeouts, handler: ClientStreamHandler): ClientStream {
    const stream = new RequestStream(request, timeouts, handler, this)
    const exchange = new FakeExchange(this.#origin, request, this.#watch, () => {
      this.#exchanges.delete(exchange)
      this.#settle()
    })
    this.#waiting.join(stream, this.#watch.deadlines.now())
    // A pool calls nobody back before it has returned.
    queueMicrotask(() => this.#connect(stream, exchange))
    return stream
  }

  leave(stream: RequestStream): void {
    this.#waiting.leave(stream)
    this.#settle()
  }

  onWaitedTooLong(stream: RequestStream): void {
    const waited = `no connection within ${stream.timeouts.connect} ms`
    this.#fail(stream, upstreamError('GATEWAY_UPSTREAM_CONNECT_TIMEOUT', this.#origin, waited, undefined))
  }

  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#onEmpty.push(resolve)
    this.#settle()
    await promise
  }

  #connect(stream: RequestStream, exchange: FakeExchange): void {
    if (!this.#waiting.has(stream)) return
    const request = exchange.open()
    const received = request.clone()
    // Asked first: only what it does says whether there is a connection.
    const answer = attempt(this.#upstream, request)
    if (answer instanceof UpstreamFailure && answer.kind === 'unreachable') return
    if (answer instanceof UpstreamFailure && answer.kind === 'refuse') {
      const refused = upstreamError('GATEWAY_UPSTREAM_CONNECT', this.#origin, 'refuses the connection', answer)
      return this.#fail(stream, refused)
    }
    this.#exchanges.add(exchange)
    this.leave(stream)
    this.#watch.received(received)
    stream.connect(exchange, this.#watch.deadlines.now())
    void exchange.answer(answer instanceof UpstreamFailure ? Promise.reject(answer) : answer)
  }

  #fail(stream: RequestStream, error: GatewayError): void {
    this.#waiting.fail(stream, error)
    this.#settle()
  }

  #settle(): void {
    if (this.inFlight === 0) for (const resolve of this.#onEmpty.splice(0)) resolve()
  }
}

/** What an upstream does at once: it answers, or it fails on purpose. */
function attempt(upstream: Upstream, request: Request): Promise<Response> | UpstreamFailure {
  try {
    return Promise.resolve(upstream(request))
  } catch (error) {
    return error instanceof UpstreamFailure ? error : Promise.reject(error)
  }
}
