import type { Duplex, Readable } from 'node:stream'
import type { GatewayError } from './errors.ts'
import type { AnySlot, Slot, SlotValue } from './slot.ts'

/** Header fields of a message. Names are matched without regard to case; a name or value outside RFC 9110's grammar throws a TypeError. */
export interface FieldList {
  /** The value; several lines of one name are joined as RFC 9110 section 5.3 allows (Set-Cookie: the first). */
  get(name: string): string | undefined
  getAll(name: string): string[]
  has(name: string): boolean
  /** Replaces every line of that name. */
  set(name: string, value: string): void
  append(name: string, value: string): void
  delete(name: string): void
  [Symbol.iterator](): Iterator<[name: string, value: string]>
}

/** The client as the listener's trust rule sees it. */
export interface Client {
  /** IPv4 or IPv6 address without port, zone or brackets. */
  readonly address: string
  /** What the client used, at the outermost trusted hop. */
  readonly scheme: 'http' | 'https'
  /**
   * The certificate with which it made the TLS connection to a listener that asks for one, verified. Undefined when there
   * is none, and behind a trusted proxy, whose own certificate says nothing of the client.
   */
  readonly certificate: ClientCertificate | undefined
}

export interface ClientCertificate {
  /** Distinguished name as RFC 4514 writes it: `CN=alice,OU=sales,O=Example`. */
  readonly subject: string
  /** Likewise. */
  readonly issuer: string
  /** With their kind: `DNS:alice.example`, `URI:spiffe://example/alice`, `email:alice@example.com`, `IP Address:10.0.0.1`. */
  readonly subjectAltName: readonly string[]
  /** SHA-256 as hexadecimal pairs with colons between them. */
  readonly fingerprint256: string
  /** Hexadecimal. */
  readonly serialNumber: string
  readonly validTo: Date
}

/** One request on its way through a route, as plugins and inline hooks see it. */
export interface Context<Needs extends AnySlot = never, P = Readonly<Record<string, string>>> {
  /** Request id: the client's X-Request-ID when well-formed, else a new one. */
  readonly id: string
  /** Name of the route. */
  readonly route: string
  readonly method: string
  /** Host the client asked for, lower-case, without port. */
  readonly host: string
  /** The canonical path: the one that routed, and the only one there is. */
  readonly path: string
  /** Without the question mark; empty when there is none. */
  readonly query: string
  /** Path parameters, percent-decoded. */
  readonly params: P
  readonly headers: FieldList
  /** Bytes of the request's body as it was announced; 0: it has none; -1: only its end will tell. */
  readonly bodyLength: number
  /** Name of the service that it goes to, the route's unless a plugin chose another; undefined on a redirect or a fixed reply. */
  readonly service: string | undefined
  /** What the request asks to become, on a route that takes it: see onTunnel. */
  readonly upgrade: 'websocket' | undefined
  readonly client: Client
  /** Attempts begun so far: 0 when no upstream was asked. */
  readonly attempts: number
  /** Aborted when the client goes away or the request's time is over. */
  readonly signal: AbortSignal
  /** Milliseconds until the request's time is over: the route's total time, or less by `limitTime`. Infinity: it has no end. */
  readonly timeLeftMs: number
  /** Gives the request no more than so many milliseconds from now; what it has left already is never made more. */
  limitTime(ms: number): void
  /** Trailers of the request go no further: some servers read them as header fields, which hooks cannot see before it is sent. */
  dropTrailers(): void
  /**
   * The value of a slot. A slot listed in `needs` is always set: the route would not have loaded otherwise, and should
   * its writer still have left it out, this throws GATEWAY_SLOT_UNSET rather than return undefined.
   */
  get<S extends AnySlot>(slot: S): SlotValue<S> | ([S] extends [Needs] ? never : undefined)
  set<T>(slot: Slot<T>, value: NoInfer<T>): void
  /** Sends it to that service from its next attempt on. A TypeError when it is none of those that the route may go to. */
  useService(name: string): void
  /**
   * Sends this request to its service, beside what becomes of it here: onAttempt and onAttemptEnd, retries and
   * timeouts are the route's but for the total one, no other hook runs unless `behind` says so. A TypeError for what is no GET, unless `service`
   * names another service, and for a request with a body without `body`.
   * Rejects with a GatewayError when no answer comes; one of any status is an answer.
   *
   * Without a `signal` it is given up when this request has ended. With one it lives until that is aborted, also long after
   * this request, and keeps the generation for at most the drain time: it has to be aborted when nobody wants it any more.
   */
  forward(init?: ForwardInit): Promise<Forwarded>
  /**
   * Within onResponse: gives the client another body, made of the one that comes from upstream, and which may say things of
   * its own at any time. Both have back-pressure; the length is unknown from here on. Destroying the upstream's gives the
   * upstream up, an error of the new one cuts the client off. A TypeError when the body is not an upstream's, or taken.
   */
  wrapBody(wrap: (body: Readable) => Readable): void
  /**
   * The answer has no end to wait for, as a stream of events has none: it is listed among the gateway's connections until
   * the request has ended. WebSockets are listed anyway.
   */
  staysOpen(stream: LastingStream): void
}

/** An answer that goes on for as long as client and upstream like. */
export interface LastingStream {
  /** What kind it is: `sse`. */
  readonly protocol: string
  /** That have passed so far, in both directions. */
  readonly messages: number
  /**
   * It is to end: an operator says so (GATEWAY_CONNECTION_CLOSED), or the drain time of a gateway that closes is over
   * (GATEWAY_SHUTTING_DOWN).
   */
  leave(error: GatewayError): void
}

export interface ForwardInit {
  /** In place of all of the request's own fields; those that tell of the client and this gateway are added. */
  readonly headers?: Iterable<readonly [name: string, value: string]>
  /** Another of the services that the route may go to. No hook runs then: what was meant for one service is not for another. */
  readonly service?: string
  /** Bytes in place of the request's body. */
  readonly body?: Uint8Array
  /**
   * Within onRequest: it passes the plugins behind this one, and the route's own hooks, as this request would have; their
   * onError aside, for what fails rejects here. Not with `service`.
   */
  readonly behind?: boolean
  readonly signal?: AbortSignal
}

/** An upstream's answer, for a plugin. */
export interface Forwarded {
  readonly status: number
  readonly headers: FieldList
  /** Bytes of the body as it was announced; 0: there is none; -1: only its end will tell. */
  readonly bodyLength: number
  /** With back-pressure; an error is a GatewayError. Destroy it when it is not wanted. */
  readonly body: Readable
  /** Origin of the target that answered. */
  readonly target: string
}

/** A body that a plugin answers with. */
export type ReplyBody = Readable | Uint8Array | string | undefined

/** An answer made by a plugin, a hook or the kernel itself instead of an upstream. */
export interface Reply {
  /** 200 to 599. */
  status: number
  headers?: Readonly<Record<string, string | readonly string[]>>
  body?: ReplyBody
  /** Bytes of a body that is a Readable, where they are known: the client sees a Content-Length. */
  bodyLength?: number
  /** It is what an upstream answered, forwarded or kept: other plugins treat it as such. Default false. */
  fromUpstream?: boolean
}

/** The head of a response on its way to the client. */
export interface ResponseHead {
  status: number
  readonly headers: FieldList
  /** Bytes of the body as it was announced; 0: there is none; -1: only its end will tell. */
  readonly bodyLength: number
  /** False when a plugin or the kernel made the answer; true also of one that a plugin forwarded or kept. */
  readonly fromUpstream: boolean
}

/**
 * Sees a body pass, synchronously and chunk by chunk. A body that no plugin asked for is passed on untouched, so a route
 * without filters pays nothing. Returning undefined swallows the chunk.
 */
export interface BodyFilter {
  /** It only looks: what it returns does not count, and where all do so the body keeps its announced length. */
  readonly observes?: true
  push(chunk: Uint8Array): Uint8Array | undefined
  /** What is left once the body has ended. */
  end?(): Uint8Array | undefined
}

/** In place of a filter of a response: a stream that the body goes through, for what takes its time. Destroyed with the response. */
export interface BodyStream {
  readonly stream: Duplex
}
