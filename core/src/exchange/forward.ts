import { type Duplex, Readable } from 'node:stream'
import type { Forwarded, ForwardInit } from '../contract/context.ts'
import { GatewayError } from '../contract/errors.ts'
import { Fields } from '../http1/fields.ts'
import type { BodySink, Peer, ServerStream } from '../http1/wire.ts'
import { Exchange, type ExchangeEvents } from './exchange.ts'
import { asGatewayError } from './plugin-failure.ts'
import { type CompiledRoute, routeTo } from './route.ts'

/**
 * Sends an exchange's request once more, for a plugin: an exchange of its own, whose client is a Readable, and which takes
 * the parent's route from its attempts on. `start` is what dispatch.ts does from there.
 */
export async function forward(
  parent: Exchange,
  init: ForwardInit,
  events: ExchangeEvents,
  start: (exchange: Exchange) => void,
): Promise<Forwarded> {
  const { compiled } = parent
  const { signal, service } = init
  if (parent.method !== 'GET' && service === undefined) {
    throw new TypeError('forward sends GET requests, and others only to another service')
  }
  if (parent.bodyLength !== 0 && init.body === undefined) {
    throw new TypeError('forward cannot send a request that has a body without being given it')
  }
  if (compiled?.action.kind !== 'service') {
    throw new TypeError(`route "${parent.route}" has no service to forward to`)
  }
  if (signal?.aborted || (signal === undefined && parent.finished)) throw givenUp(signal?.reason)
  const place = init.behind === true ? parent.reached : nobody
  const route = service === undefined ? behind(compiled, place) : asideOf(routeTo(compiled, service))
  const stream = new ForwardStream(parent, init)
  const { runtime } = parent
  const exchange = new Exchange(runtime, parent.entry, stream, events, parent)
  runtime.enter(exchange)
  stream.handler = exchange
  exchange.compiled = route
  exchange.prepared = parent.prepared
  // Its attempts pass every plugin of the route.
  exchange.reached = Number.MAX_SAFE_INTEGER
  if (init.behind === true) {
    // It is the request itself: what is said of one is true of the other.
    stream.onHead = () => {
      parent.target = exchange.target
      parent.attempts = exchange.attempts
    }
  }
  const end = signal === undefined ? parent.alongside(stream) : onAbort(signal, () => stream.giveUp(signal.reason))
  stream.onOver = end
  try {
    start(exchange)
  } catch (error) {
    stream.giveUp(asGatewayError(error))
  }
  return stream.answer
}

function onAbort(signal: AbortSignal, run: () => void): () => void {
  signal.addEventListener('abort', run, { once: true })
  return () => signal.removeEventListener('abort', run)
}

function givenUp(cause: unknown): GatewayError {
  return new GatewayError('GATEWAY_CLIENT_CLOSED', 'whoever forwarded the request gave up', { cause })
}

const parts = new WeakMap<CompiledRoute, Map<number, CompiledRoute>>()

/** What is left of a route for who stands at a place: its attempts, and the hooks behind. The answer is not yet the client's. */
function behind(route: CompiledRoute, place: number): CompiledRoute {
  const known = parts.get(route) ?? new Map<number, CompiledRoute>()
  parts.set(route, known)
  const found = known.get(place)
  if (found !== undefined) return found
  const rest = <S extends { readonly position: number }>(steps: readonly S[]) =>
    steps.filter(({ position }) => position > place)
  const byService = new Map<string, CompiledRoute>()
  const part = {
    ...route,
    byService,
    onRequest: rest(route.onRequest),
    onPreflight: [],
    onRequestBody: [],
    onResponse: rest(route.onResponse),
    onResponseBody: rest(route.onResponseBody),
    onTunnel: [],
    onError: [],
    onFinish: rest(route.onFinish),
    responseHeaders: undefined,
  }
  known.set(place, part)
  for (const [name, other] of route.byService) byService.set(name, behind(other, place))
  return part
}

const nobody = Number.MAX_SAFE_INTEGER

const asides = new WeakMap<CompiledRoute, CompiledRoute>()

/** Likewise for another service than the request's own, and for its attempts alone. */
function asideOf(route: CompiledRoute): CompiledRoute {
  const found = asides.get(route)
  if (found !== undefined) return found
  const onAttemptEnd = route.action.kind === 'service' ? route.action.service.observers : []
  const aside = { ...behind(route, nobody), replayBytes: 0, onAttempt: [], onAttemptEnd }
  asides.set(route, aside)
  return aside
}

/** The client of a forwarded request. */
class ForwardStream implements ServerStream {
  readonly method: string
  readonly target: string
  readonly version: ServerStream['version']
  readonly fields: Fields
  readonly peer: Peer
  readonly bodyLength: number
  readonly expectsContinue = false
  readonly upgrade = undefined
  handler: Exchange | undefined
  /** Called once the exchange can neither send nor be given up any more. */
  onOver: () => void = () => {}
  /** The answer's head is there. */
  onHead: () => void = () => {}
  readonly answer: Promise<Forwarded>

  readonly #resolve: (answer: Forwarded) => void
  readonly #reject: (error: GatewayError) => void
  readonly #body: Readable
  readonly #sent: Uint8Array | undefined
  #over = false

  constructor(parent: Exchange, { headers, body }: ForwardInit) {
    const { method, target, version, peer } = parent.stream
    this.method = method
    this.#sent = body
    this.bodyLength = body?.byteLength ?? 0
    this.target = target
    this.version = version
    this.peer = peer
    this.fields = headers === undefined ? parent.headers.clone() : fieldsOf(headers)
    const { promise, resolve, reject } = Promise.withResolvers<Forwarded>()
    this.answer = promise
    this.#resolve = resolve
    this.#reject = reject
    this.#body = new Readable({
      read: () => this.handler?.onDrain(),
      destroy: (error, done) => {
        this.giveUp(error)
        done(error)
      },
    })
    // Whoever reads it hears of an error; that nobody does must not end the process.
    this.#body.on('error', () => {})
  }

  readBody(sink: BodySink): void {
    if (this.#sent !== undefined && this.bodyLength > 0) sink.onData(this.#sent)
    sink.onEnd(undefined)
  }

  resumeBody(): void {}

  sendInformational(): void {}

  sendHead(status: number, _reason: string, headers: Fields, bodyLength: number): void {
    const exchange = this.handler
    // The kernel's own answer to a failure; who forwards is told the failure itself.
    if (exchange?.error !== undefined) return this.abort(exchange.error)
    if (this.#over) return
    this.onHead()
    this.#resolve({ status, headers, bodyLength, body: this.#body, target: exchange?.target?.url ?? '' })
  }

  sendData(chunk: Uint8Array): boolean {
    // A plugin may keep what it sees: see FilterChain.push.
    return this.#over || this.#body.push(chunk.subarray())
  }

  sendEnd(): void {
    if (this.#end()) this.#body.push(null)
  }

  abort(error: GatewayError): void {
    if (!this.#end()) return
    this.#reject(error)
    this.#body.destroy(error)
  }

  detach(): { socket: Duplex; head: Uint8Array } {
    throw new GatewayError('GATEWAY_UPGRADE_NOT_SUPPORTED', 'a forwarded request has no connection to hand over')
  }

  giveUp(reason: unknown): void {
    if (!this.#end()) return
    const error = reason instanceof GatewayError ? reason : givenUp(reason)
    this.#reject(error)
    this.#body.destroy(error)
    this.handler?.onAbort(error)
  }

  /** False when it was over before. */
  #end(): boolean {
    if (this.#over) return false
    this.#over = true
    this.onOver()
    return true
  }
}

function fieldsOf(headers: Iterable<readonly [name: string, value: string]>): Fields {
  const fields = new Fields()
  for (const [name, value] of headers) fields.append(name, value)
  return fields
}
