import { Readable } from 'node:stream'
import type { Reply, ResponseHead } from '../contract/context.ts'
import { GatewayError } from '../contract/errors.ts'
import { Fields } from '../http1/fields.ts'
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
  /** Of an answer made here; an upstream's body comes by itself. */
  readonly body: Readable | Uint8Array | undefined
}

export function upstreamResponse(status: number, reason: string, headers: Fields, bodyLength: number): Response {
  return { status, reason, headers, bodyLength, body: undefined, fromUpstream: true }
}

/** @throws TypeError when the reply is not one: no status, a bad header, a body of another kind. */
export function localResponse(reply: Reply): Response {
  const { status, body } = reply
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new TypeError(`a reply's status is 200 to 599, not ${String(status)}`)
  }
  const headers = new Fields()
  for (const [name, value] of Object.entries(reply.headers ?? {})) {
    if (typeof value === 'string') headers.set(name, value)
    else for (const line of value) headers.append(name, line)
  }
  headers.removeHopByHop()
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  if (bytes !== undefined && !(bytes instanceof Uint8Array) && !(bytes instanceof Readable)) {
    throw new TypeError("a reply's body is a string, a Uint8Array or a Readable")
  }
  if (typeof body === 'string' && !headers.has('content-type')) headers.set('Content-Type', 'text/plain; charset=utf-8')
  const bodyLength = bytes === undefined ? 0 : bytes instanceof Uint8Array ? bytes.byteLength : -1
  return { status, reason: '', headers, bodyLength, body: bytes, fromUpstream: false }
}

/** RFC 9110 section 6.4.1: what has no body whatever its fields say. */
function isBodiless(method: string, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 304
}

/** Sends the head; a body made here follows, one from upstream comes through {@link sendBody} and {@link endBody}. */
export function sendHead(exchange: Exchange, response: Response): void {
  const { compiled, stream } = exchange
  const { headers, status } = response
  if (compiled?.responseHeaders !== undefined) applyFieldRules(headers, compiled.responseHeaders)
  headers.set('X-Request-ID', exchange.id)
  const bodiless = isBodiless(exchange.method, status)
  if (compiled !== undefined && !bodiless && response.bodyLength !== 0) {
    exchange.filters = FilterChain.open('onResponseBody', compiled.onResponseBody, exchange, run => run(exchange, response))
    if (exchange.filters !== undefined) response.bodyLength = -1
  }
  exchange.headSent = true
  exchange.status = status
  stream.sendHead(status, response.reason, headers, response.bodyLength)
  if (response.fromUpstream) return
  if (bodiless && response.body instanceof Readable) response.body.destroy()
  if (bodiless || response.body === undefined) endBody(exchange, undefined)
  else if (response.body instanceof Readable) pipeBody(exchange, response.body)
  else {
    sendBody(exchange, response.body)
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
  exchange.source = { resumeBody: () => body.resume(), abort: () => body.destroy() }
  body.on('data', (chunk: Uint8Array | string) => {
    if (!sendBody(exchange, typeof chunk === 'string' ? Buffer.from(chunk) : chunk)) body.pause()
  })
  body.on('end', () => endBody(exchange, undefined))
  body.on('error', error => cutOff(exchange, error))
  body.on('close', () => {
    if (!body.readableEnded && !exchange.finished) cutOff(exchange, new GatewayError('GATEWAY_INTERNAL', "a reply's body closed before its end"))
  })
}
