import { Readable } from 'node:stream'
import type { Reply, ReplyBody, ResponseHead } from '../contract/context.ts'
import { GatewayError } from '../contract/errors.ts'
import { Fields } from '../http1/fields.ts'
import { known } from '../http1/known-fields.ts'
import { bodyStream } from './body-stream.ts'
import type { Exchange } from './exchange.ts'
import { applyFieldRules } from './field-rules.ts'
import { FilterChain } from './filter-chain.ts'
import { cutOff, finish } from './finish.ts'

/** The answer on its way to the client: from an upstream, or made here. */
export interface Response extends ResponseHead {
  readonly headers: Fields
  /** Empty: the wire layer takes the standard phrase. */
  reason: string
  /** Bytes; -1 when the end shows itself. */
  bodyLength: number
  /** An upstream's body arrives by itself, through {@link sendBody} and {@link endBody}. */
  body: Readable | Uint8Array | undefined | 'arrives'
}

export function upstreamResponse(status: number, reason: string, headers: Fields, bodyLength: number): Response {
  return { status, reason, headers, bodyLength, body: 'arrives', fromUpstream: true }
}

/** @throws TypeError when the reply is not one: no status, a bad header, a body of another kind. */
export function localResponse(reply: Reply): Response {
  const headers = new Fields()
  for (const [name, value] of Object.entries(reply.headers ?? {})) {
    if (typeof value === 'string') headers.set(name, value)
    else if (Array.isArray(value)) for (const line of value) headers.append(name, line)
    else throw new TypeError(`a reply's header is a string or an array of strings, unlike ${name}`)
  }
  if (typeof reply.body === 'string' && !headers.has('content-type')) {
    headers.set('Content-Type', 'text/plain; charset=utf-8')
  }
  const response = responseOf(reply.status, headers, reply.body, reply.bodyLength)
  return reply.fromUpstream === true ? { ...response, fromUpstream: true } : response
}

/** @throws TypeError as {@link localResponse} does. */
export function responseOf(status: number, headers: Fields, body: ReplyBody, bodyLength = -1): Response {
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new TypeError(`a reply's status is 200 to 599, not ${String(status)}`)
  }
  headers.removeHopByHop()
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const response = { status, reason: '', headers, fromUpstream: false }
  if (bytes === undefined) return { ...response, bodyLength: 0, body: undefined }
  if (bytes instanceof Uint8Array) return { ...response, bodyLength: bytes.byteLength, body: bytes }
  if (!(bytes instanceof Readable)) throw new TypeError("a reply's body is a string, a Uint8Array or a Readable")
  if (bytes.destroyed || bytes.readableEnded) throw new TypeError("a reply's body was read or closed before")
  // It may fail while a hook is waited for and nobody reads it; sendHead looks.
  bytes.on('error', () => {})
  if (!Number.isSafeInteger(bodyLength) || bodyLength < -1)
    throw new TypeError("a reply's bodyLength is a number of bytes")
  return { ...response, bodyLength, body: bytes }
}

/** Makes it the exchange's response. A body that streams is given up with the exchange from now on. */
export function adopt(exchange: Exchange, response: Response): void {
  exchange.response = response
  const { body } = response
  if (!(body instanceof Readable)) return
  const before = exchange.source
  exchange.source = {
    // Before anybody listens its pieces would be lost.
    resumeBody: () => void (exchange.headSent && body.resume()),
    abort: () => {
      body.destroy()
      before?.abort()
    },
  }
}

/** RFC 9110 section 6.4.1: what has no body whatever its fields say. */
function isBodiless(method: string, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 304
}

/** Sends the head; a body made here follows, one from upstream comes through {@link sendBody} and {@link endBody}. */
export function sendHead(exchange: Exchange, response: Response): void {
  const { compiled, stream } = exchange
  const { headers, status } = response
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new TypeError(`an onResponse hook set the status ${String(status)}`)
  }
  if (response.body instanceof Readable && response.body.errored) throw response.body.errored
  if (compiled?.responseHeaders !== undefined) applyFieldRules(headers, compiled.responseHeaders)
  headers.removeKnown(1 << known['x-request-id'])
  headers.appendOwn(known['x-request-id'], 'X-Request-ID', exchange.id)
  const bodiless = isBodiless(exchange.method, status)
  if (compiled !== undefined && !bodiless && response.bodyLength !== 0 && !exchange.lastWord) {
    exchange.filters = FilterChain.open('onResponseBody', compiled.onResponseBody, exchange, run =>
      run(exchange, response),
    )
    if (exchange.filters?.observes === false) response.bodyLength = -1
    if (exchange.filters?.streams) {
      response.body = exchange.filters.stream(bodyStream(exchange, response.body))
      adopt(exchange, response)
    }
  }
  // What a GET would have had, nobody can tell where a filter could have changed it.
  if (bodiless && compiled !== undefined && compiled.onResponseBody.length > 0) response.bodyLength = -1
  exchange.headSent = true
  exchange.status = status
  stream.sendHead(status, response.reason, headers, response.bodyLength)
  const { body } = response
  if (body === 'arrives') return
  if (bodiless || body === undefined) endBody(exchange, undefined)
  else if (body instanceof Readable) pipeBody(exchange, body)
  else {
    sendBody(exchange, body)
    endBody(exchange, undefined)
  }
}

/** A piece of the response's body. False asks the source to wait for the exchange's onDrain. */
export function sendBody(exchange: Exchange, chunk: Uint8Array): boolean {
  if (exchange.finished) return true
  let passed: Uint8Array | undefined = chunk
  if (exchange.filters !== undefined) {
    try {
      passed = exchange.filters.push(chunk)
    } catch (error) {
      cutOff(exchange, error)
      return true
    }
    if (passed === undefined || passed.byteLength === 0) return true
  }
  exchange.bytesOut += passed.byteLength
  return exchange.stream.sendData(passed)
}

export function endBody(exchange: Exchange, trailers: Fields | undefined): void {
  if (exchange.finished) return
  if (exchange.filters !== undefined) {
    try {
      const rest = exchange.filters.end()
      if (rest !== undefined) {
        exchange.bytesOut += rest.byteLength
        exchange.stream.sendData(rest)
      }
    } catch (error) {
      return cutOff(exchange, error)
    }
  }
  exchange.stream.sendEnd(trailers)
  finish(exchange, undefined)
}

function pipeBody(exchange: Exchange, body: Readable): void {
  body.on('data', (chunk: unknown) => {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    if (!(bytes instanceof Uint8Array))
      return cutOff(exchange, new TypeError("a reply's body is made of bytes or text"))
    if (!sendBody(exchange, bytes)) body.pause()
  })
  body.on('end', () => endBody(exchange, undefined))
  body.on('error', error => cutOff(exchange, error))
  body.on('close', () => {
    if (!body.readableEnded && !exchange.finished)
      cutOff(exchange, new GatewayError('GATEWAY_INTERNAL', "a reply's body closed before its end"))
  })
}
