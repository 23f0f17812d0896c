import type { Duplex, Readable } from 'node:stream'
import type { Client, Context, Forwarded, ForwardInit, LastingStream } from '../contract/context.ts'
import { GatewayError } from '../contract/errors.ts'
import type { Summary } from '../contract/hooks.ts'
import { type AnySlot, type Slot, type SlotValue, slotCount } from '../contract/slot.ts'
import type { Fields } from '../http1/fields.ts'
import { known } from '../http1/known-fields.ts'
import type { ServerStream, ServerStreamHandler } from '../http1/wire.ts'
import { type Pattern, pathParams } from '../routing/pattern.ts'
import type { OpenTunnel } from '../tunnel/open-tunnel.ts'
import type { UpstreamTarget } from '../upstream/target.ts'
import type { UpstreamAttempt } from './attempt.ts'
import type { FilterChain } from './filter-chain.ts'
import { cutOff } from './finish.ts'
import { requestId } from './request-id.ts'
import type { Response } from './response.ts'
import { type CompiledRoute, type Entry, type Member, type Runtime, routeTo } from './route.ts'
import { takeBody } from './take-body.ts'
import type { Upload } from './upload.ts'

/** What can be told to go on once the client takes bytes again, or to stop for good. */
export interface ResponseSource {
  resumeBody(): void
  abort(): void
}

/** Of Node's timers: one that is longer runs at once. */
const longestMs = 2 ** 31 - 1

const noParams: Readonly<Record<string, string>> = Object.freeze(Object.create(null))

/**
 * One request from its head to the end of its response: what plugins see of it (Context) and what the kernel keeps on
 * the way. It holds state; the way itself is in dispatch.ts.
 */
export class Exchange implements Context, Member, ServerStreamHandler {
  readonly id: string
  readonly method: string
  readonly headers: Fields
  host = ''
  path = ''
  query = ''
  /** What the request asks to become, where its route allows it. */
  upgrade: 'websocket' | undefined = undefined
  /** The connection that an upstream upgraded for it. */
  upgraded: Duplex | undefined = undefined
  tunnel: OpenTunnel | undefined = undefined
  /** The pattern of the route that matched. */
  pattern: Pattern | undefined

  readonly runtime: Runtime
  readonly entry: Entry
  readonly stream: ServerStream
  readonly startedAt: number
  compiled: CompiledRoute | undefined

  /** Place of the last plugin whose request step was begun: those beyond never saw the request, nor see its response. */
  reached = -1
  /**
   * Raised by everything that takes the exchange somewhere else. Whoever waited for a promise compares, and finds itself
   * overtaken by an abort or a timeout.
   */
  turn = 0
  attempts = 0
  /** Its fields are what goes upstream. */
  prepared = false
  /** It was sent by a plugin for another exchange, which is the one to be logged. */
  readonly forwarded: boolean
  /** The last that was begun. */
  attempt: UpstreamAttempt | undefined
  /** Those under way beside each other. */
  race: Set<UpstreamAttempt> | undefined
  response: Response | undefined
  /** Body that came while onResponse was waited for; the source is paused after its first piece. */
  readonly early: Uint8Array[] = []
  earlyEnd: { readonly trailers: Fields | undefined } | undefined
  source: ResponseSource | undefined
  /** The upstream's body, when a plugin makes its own of it. */
  taken: Readable | undefined
  headSent = false
  finished = false
  failing = false
  /** A hook failed on the way of an error: the answer passes no more hooks. */
  lastWord = false
  /** Its time is over. */
  overdue = false
  status = 0
  bytesIn = 0
  bytesOut = 0
  error: GatewayError | undefined
  target: Summary['target']
  /** Targets that attempts have been made at in vain, or are being made. */
  tried: readonly UpstreamTarget[] | undefined
  /** A kept connection was found closed under it, and others may be: the next attempt gets one of its own. */
  foundStale = false
  filters: FilterChain | undefined
  /** Of the request's body. */
  uploadFilters: FilterChain | undefined
  upload: Upload | undefined
  /** Its trailers are not sent on. */
  dropsTrailers = false

  /** See http1/deadlines.ts. */
  deadline = 0
  deadlineIndex = -1

  older: Member | undefined
  newer: Member | undefined

  #client: Client | undefined
  #isTrusted: boolean | undefined
  #params: Readonly<Record<string, string>> | undefined
  #controller: AbortController | undefined
  #aborted: GatewayError | undefined
  #slots: unknown[] | undefined
  #alongside: Set<Alongside> | undefined
  readonly #events: ExchangeEvents

  /** `parent`: the exchange that it is forwarded for. */
  constructor(runtime: Runtime, entry: Entry, stream: ServerStream, events: ExchangeEvents, parent?: Exchange) {
    this.runtime = runtime
    this.startedAt = runtime.deadlines.now()
    this.entry = entry
    this.stream = stream
    this.method = stream.method
    this.headers = stream.fields
    this.id = parent?.id ?? requestId(stream.fields.getKnown(known['x-request-id']))
    this.#events = events
    this.forwarded = parent !== undefined
    if (parent === undefined) return
    this.host = parent.host
    this.path = parent.path
    this.query = parent.query
    this.pattern = parent.pattern
    this.#client = parent.client
    parent.#slots ??= noSlots()
    this.#slots = parent.#slots
  }

  get route(): string {
    return this.compiled?.name ?? ''
  }

  get bodyLength(): number {
    return this.stream.bodyLength
  }

  get service(): string | undefined {
    const action = this.compiled?.action
    return action?.kind === 'service' ? action.service.name : undefined
  }

  useService(name: string): void {
    this.compiled = routeTo(this.compiled, name)
  }

  /** Whoever sent it may say who its client is. */
  get isTrusted(): boolean {
    this.#isTrusted ??= this.entry.trusts(this.stream.peer.address)
    return this.#isTrusted
  }

  get params(): Readonly<Record<string, string>> {
    this.#params ??= this.pattern === undefined ? noParams : pathParams(this.pattern, this.path)
    return this.#params
  }

  get client(): Client {
    this.#client ??= this.#events.client(this)
    return this.#client
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#aborted !== undefined) this.#controller.abort(this.#aborted)
    return this.#controller.signal
  }

  get timeLeftMs(): number {
    return this.deadline === 0 ? Infinity : Math.max(0, this.deadline - this.runtime.deadlines.now())
  }

  limitTime(ms: number): void {
    // A tunnel's time is not limited, nor what has ended.
    if (this.finished || this.overdue || this.tunnel !== undefined || !(ms < this.timeLeftMs)) return
    this.deadline = this.runtime.deadlines.now() + ms
    this.runtime.deadlines.add(this)
  }

  dropTrailers(): void {
    this.dropsTrailers = true
  }

  get<S extends AnySlot>(slot: S): SlotValue<S> | ([S] extends [never] ? never : undefined) {
    const value = this.#slots?.[slot.index]
    if (value === undefined) this.#checkUnneeded(slot)
    // Only `set` writes the array, and only with the slot's own type.
    return value as SlotValue<S>
  }

  /** Where a plugin that needs the slot has been reached, its writer has run and must have written. */
  #checkUnneeded(slot: AnySlot): void {
    const reader = this.compiled?.neededSlots.get(slot.name)
    if (reader === undefined || this.reached < reader) return
    throw new GatewayError(
      'GATEWAY_SLOT_UNSET',
      `slot "${slot.name}" is needed on route "${this.route}" and was not written`,
    )
  }

  set<T>(slot: Slot<T>, value: NoInfer<T>): void {
    this.#slots ??= noSlots()
    this.#slots[slot.index] = value
  }

  /** Tells whoever listens to `signal`. Costs nothing when nobody asked for it. */
  abortSignal(error: GatewayError): void {
    this.#aborted ??= error
    this.#controller?.abort(error)
  }

  answered(response: Response): void {
    this.#events.answered(this, response)
  }

  failed(error: GatewayError): void {
    this.#events.failed(this, error)
  }

  forward(init: ForwardInit = {}): Promise<Forwarded> {
    return this.#events.forward(this, init)
  }

  wrapBody(wrap: (body: Readable) => Readable): void {
    takeBody(this, wrap)
  }

  /** Takes a step of its way in some time. What is returned calls it off. */
  later(ms: number, step: () => void): () => void {
    return this.runtime.after(Math.min(ms, longestMs), () => {
      try {
        step()
      } catch (error) {
        // A fault of the kernel itself: it must not end the process.
        cutOff(this, error)
      }
    })
  }

  staysOpen(stream: LastingStream): void {
    if (this.finished) return
    const { connections, log } = this.runtime
    const close = connections.addStream(this, stream, err =>
      log.error('a stream could not be ended', { requestId: this.id, route: this.route, err }),
    )
    this.alongside({ giveUp: close })
  }

  /** What is given up when this exchange finishes, unless it is taken out before by what this returns. */
  alongside(other: Alongside): () => void {
    this.#alongside ??= new Set()
    this.#alongside.add(other)
    return () => this.#alongside?.delete(other)
  }

  giveUpAlongside(error: GatewayError | undefined): void {
    if (this.#alongside === undefined) return
    for (const other of this.#alongside) other.giveUp(error)
  }

  onDrain(): void {
    this.source?.resumeBody()
  }

  onAbort(error: GatewayError): void {
    this.#events.aborted(this, error)
  }

  onDeadline(): void {
    this.#events.timedOut(this)
  }
}

interface Alongside {
  giveUp(reason: unknown): void
}

const noSlots = (): unknown[] => new Array(slotCount()).fill(undefined)

/** What happens to an exchange from outside, and what it has to ask policy for. Static, so that none is made per request. */
export interface ExchangeEvents {
  client(exchange: Exchange): Client
  /** An attempt's answer is to be the response. */
  answered(exchange: Exchange, response: Response): void
  /** No attempt will have one. */
  failed(exchange: Exchange, error: GatewayError): void
  aborted(exchange: Exchange, error: GatewayError): void
  timedOut(exchange: Exchange): void
  forward(exchange: Exchange, init: ForwardInit): Promise<Forwarded>
}
