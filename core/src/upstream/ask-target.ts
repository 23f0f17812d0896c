import { GatewayError } from '../contract/errors.ts'
import type { TargetAnswer, TargetQuestion } from '../contract/hooks.ts'
import { Fields } from '../http1/fields.ts'
import type { UpstreamTarget } from './target.ts'

/** Of a body, what is kept. */
const mostBytes = 64 * 1024

/** A request of the gateway's own, over the pool that clients' requests take; of HTTP/1.1 on a connection of its own. */
export function askTarget(target: UpstreamTarget, question: TargetQuestion): Promise<TargetAnswer> {
  const { path, method = 'GET', headers = {}, body, timeoutMs, signal } = question
  const { promise, resolve, reject } = Promise.withResolvers<TargetAnswer>()
  if (signal?.aborted) return Promise.reject(signal.reason)
  const fields = Fields.from(['Host', target.authority])
  for (const [name, value] of Object.entries(headers)) fields.set(name, value)
  let status = 0
  let answered = new Fields()
  let bytes = 0
  const chunks: Uint8Array[] = []
  const over = () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
  const done = (trailers: Fields | undefined) => {
    over()
    resolve({ status, headers: answered, body: Buffer.concat(chunks), trailers })
  }
  const failed = (reason: unknown) => {
    over()
    reject(reason)
  }
  const request = { method, target: path, fields, bodyLength: body?.length ?? 0, fresh: true }
  const stream = target.pool.request(
    request,
    { connect: timeoutMs, head: timeoutMs, idle: timeoutMs },
    {
      onInformational() {},
      onHead(code, _reason, head) {
        status = code
        answered = head
      },
      onUpgrade(_status, _fields, socket) {
        socket.destroy()
        failed(new GatewayError('GATEWAY_UPSTREAM_INVALID', `${target.url} switched protocols unasked`))
      },
      onData(chunk) {
        bytes += chunk.length
        // A copy, since the wire uses its buffers again.
        chunks.push(Uint8Array.prototype.slice.call(chunk))
        if (bytes < mostBytes) return true
        stream.abort()
        done(undefined)
        return false
      },
      onEnd: done,
      onDrain() {},
      onError: failed,
    },
  )
  if (body !== undefined && body.length > 0) {
    stream.sendData(body)
    stream.sendEnd(undefined)
  }
  const abort = () => {
    stream.abort()
    failed(signal?.reason)
  }
  signal?.addEventListener('abort', abort)
  const timer = setTimeout(() => {
    stream.abort()
    failed(new GatewayError('GATEWAY_TIMEOUT', `${target.url} gave no answer within ${timeoutMs} ms`))
  }, timeoutMs)
  timer.unref()
  return promise
}
