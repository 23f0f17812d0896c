import type { Readable } from 'node:stream'
import { type Context, type Forwarded, GatewayError } from '@gateway/core'
import type { RouteOptions } from './options.ts'
import { judge, type Personal } from './policy.ts'
import { Spool } from './spool.ts'
import { isWithin, type Purge, type Store } from './store.ts'
import {
  completeFields,
  freshFor,
  type StoredHead,
  type StoredResponse,
  storedHead,
  storedResponse,
} from './stored-response.ts'

/** What a request to the upstream came to. */
export type Outcome =
  /** It is one that was kept: the upstream confirmed it, or had no better one. */
  | { readonly kind: 'kept'; readonly response: StoredResponse; readonly status: number | undefined }
  /** It is on its way into the cache, or to others as well: to those who wait where `join` says so. */
  | {
      readonly kind: 'shared'
      readonly head: StoredHead
      readonly spool: Spool
      readonly join: boolean
      readonly keep: boolean
    }
  /** It is for whoever asked alone. */
  | { readonly kind: 'own'; readonly answer: Forwarded }

export interface FillRequest {
  readonly ctx: Context
  readonly key: string
  readonly place: string
  readonly personal: Personal
  readonly options: RouteOptions
  /** What is kept already, to be validated. */
  readonly stale: StoredResponse | undefined
  /** Goes on without anybody who waits for it, until this is aborted. */
  readonly background: AbortSignal | undefined
}

/** A request under way to the upstream, for one client or many. */
export class Fill {
  readonly outcome: Promise<Outcome>
  readonly request: FillRequest
  /** What it brings may not be kept: it was asked for before something made it obsolete. */
  outdated = false
  readonly #fills: Fills
  /** Undefined: it lives and ends with the request that it was begun for. */
  readonly #stop: AbortController | undefined
  #holders = 0
  /** Whoever holds it can not stop anything any more. */
  #over = false
  #spool: Spool | undefined
  #letGo: (() => void) | undefined
  readonly #onStop = () => this.#abandon()

  constructor(fills: Fills, request: FillRequest, join: boolean) {
    this.#fills = fills
    this.request = request
    if (join || request.background !== undefined) this.#stop = new AbortController()
    if (request.background !== undefined) {
      this.#letGo = this.hold()
      request.background.addEventListener('abort', this.#onStop)
    }
    this.outcome = this.#run()
  }

  now(): number {
    return this.#fills.now()
  }

  /** It goes on when the client leaves that it was begun for, if there is another. */
  get outlives(): boolean {
    return this.#stop !== undefined
  }

  /** Keeps it going until the function that it returns is called. */
  hold(): () => void {
    this.#holders++
    let held = true
    return () => {
      if (held && --this.#holders === 0 && !this.#over) this.#abandon()
      held = false
    }
  }

  /** A reader for one of those who share it. Undefined: it is too late to have all of it. */
  read(spool: Spool): Readable | undefined {
    return spool.joinable ? spool.reader(this.hold()) : undefined
  }

  /** The upstream's request is over, or has nobody left. */
  close(): void {
    this.request.background?.removeEventListener('abort', this.#onStop)
    this.#fills.delete(this)
  }

  #abandon(): void {
    this.close()
    this.#stop?.abort()
    this.#spool?.abandon()
  }

  async #run(): Promise<Outcome> {
    try {
      const outcome = await this.#ask()
      if (outcome.kind === 'shared') return outcome
      this.#over = true
      this.close()
      return outcome
    } catch (error) {
      this.close()
      throw error
    }
  }

  async #ask(): Promise<Outcome> {
    const { ctx, stale, options, personal, background } = this.request
    const now = this.#fills.now
    const requestedAt = now()
    let answer: Forwarded
    try {
      const headers = stale === undefined ? undefined : conditional(ctx, stale)
      const signal = this.#stop?.signal
      answer = await ctx.forward({ ...(headers && { headers }), ...(signal && { signal }), behind: true })
    } catch (error) {
      const failed = error instanceof GatewayError && error.status >= 500
      if (stale === undefined || !failed || !mayServeOnError(stale, now())) throw error
      return { kind: 'kept', response: stale, status: undefined }
    }
    const exchange = { request: ctx.headers, requestedAt, receivedAt: now() }
    if (stale !== undefined) {
      if (answer.status === 304) return { kind: 'kept', response: this.#confirm(stale, answer, exchange), status: 304 }
      if (isFailure(answer.status) && mayServeOnError(stale, now())) {
        answer.body.destroy()
        return { kind: 'kept', response: stale, status: answer.status }
      }
      // Something else than what is kept, then. It goes at once, for the new one may break off or not be for keeping.
      if (answer.status < 500) this.#fills.store.delete(stale)
    }
    const policy = judge(answer, options, now())
    const keep = policy?.keep === true && options.store && !this.outdated
    const join = options.coalesce && policy !== undefined && !policy.noCache && policy.lifetime !== 0
    const isPrivate = policy === undefined || personal > policy.reach
    if (isPrivate || answer.bodyLength > options.maxEntrySize || !(keep || (join && background === undefined))) {
      return { kind: 'own', answer }
    }
    return this.#share(answer, storedHead(answer, policy, exchange), keep, join)
  }

  #share(answer: Forwarded, head: StoredHead, keep: boolean, join: boolean): Outcome {
    const { key, place, ctx, options } = this.request
    const { store } = this.#fills
    // Whoever comes later must not get what was begun before: it is not for keeping.
    if (!keep) this.close()
    const spool = new Spool(answer.body, {
      length: answer.bodyLength,
      limit: options.maxEntrySize,
      reserve: keep ? bytes => store.reserve(bytes) : undefined,
      release: bytes => store.release(bytes),
      onEnd: body => {
        this.close()
        if (body !== undefined && !this.outdated) store.put(key, place, ctx.headers, storedResponse(head, body, key))
        this.#letGo?.()
      },
    })
    this.#spool = spool
    return { kind: 'shared', head, spool, join, keep }
  }

  #confirm(stale: StoredResponse, answer: Forwarded, exchange: Parameters<typeof storedHead>[2]): StoredResponse {
    const { ctx, key, place, options } = this.request
    const { store } = this.#fills
    answer.body.destroy()
    completeFields(answer.headers, stale)
    const now = { status: stale.status, headers: answer.headers }
    const policy = judge(now, options, exchange.receivedAt)
    const response = storedResponse(storedHead(now, policy ?? stale.policy, exchange), stale.body, key)
    store.delete(stale)
    if (policy?.keep === true && !this.outdated) store.put(key, place, ctx.headers, response)
    return response
  }
}

/** Requests under way to upstreams whose answers may be for more than who asked. */
export class Fills {
  readonly store: Store
  readonly now: () => number
  readonly #all = new Set<Fill>()
  /** Those that others may join. */
  readonly #open = new Map<string, Fill>()

  constructor(store: Store, now: () => number) {
    this.store = store
    this.now = now
  }

  get(key: string): Fill | undefined {
    return this.#open.get(key)
  }

  /** `join`: it is found by {@link get} from now on. */
  start(request: FillRequest, join: boolean): Fill {
    const fill = new Fill(this, request, join)
    this.#all.add(fill)
    if (join) this.#open.set(request.key, fill)
    return fill
  }

  delete(fill: Fill): void {
    this.#all.delete(fill)
    if (this.#open.get(fill.request.key) === fill) this.#open.delete(fill.request.key)
  }

  /** What is under way there was asked for before, and is not kept. */
  outdate(where: Purge): void {
    for (const fill of this.#all) {
      if (!isWithin(fill.request.place, where)) continue
      fill.outdated = true
      this.delete(fill)
    }
  }
}

const conditions = /^if-(?:none-match|modified-since)$/i

/** The fields of a request that asks whether an answer still holds (RFC 9111 section 4.3.1). */
function conditional({ headers }: Context, { etag, lastModified }: StoredHead): [string, string][] {
  const fields = [...headers].filter(([name]) => !conditions.test(name))
  if (etag !== undefined) fields.push(['If-None-Match', etag])
  if (lastModified !== undefined) fields.push(['If-Modified-Since', lastModified])
  return fields
}

/** RFC 5861 section 4. */
const isFailure = (status: number) => status === 500 || status === 502 || status === 503 || status === 504

function mayServeOnError(stale: StoredResponse, now: number): boolean {
  return -freshFor(stale, now) <= stale.policy.staleIfError && stale.policy.staleIfError > 0
}
