import type { GatewayError } from '../contract/errors.ts'
import type { Exchange } from './exchange.ts'
import { asGatewayError, isThenable, pluginFailure } from './plugin-failure.ts'

/**
 * The last thing that happens to an exchange, exactly once: onFinish, the access line, the generation's count.
 * `error` is what kept it from a whole response.
 */
export function finish(exchange: Exchange, error: GatewayError | undefined): void {
  if (exchange.finished) return
  exchange.finished = true
  exchange.turn++
  if (error !== undefined) exchange.error = error
  if (exchange.deadlineIndex !== -1) exchange.runtime.deadlines.remove(exchange)
  // Whoever still sends or is sent to may stop; of a source that has come to its end this asks nothing.
  exchange.source?.abort()
  exchange.giveUpAlongside(error)
  if (error !== undefined) exchange.abortSignal(error)
  const { compiled, runtime } = exchange
  if (compiled !== undefined && compiled.onFinish.length > 0) {
    const summary = summarise(exchange)
    for (const { plugin, position, run } of compiled.onFinish) {
      if (position > exchange.reached) continue
      const failed = (cause: unknown) => logFailure(exchange, pluginFailure(plugin, 'onFinish', cause))
      try {
        // It is not to wait, and one that does so all the same must not end the process.
        const returned: unknown = run(exchange, summary)
        if (isThenable(returned)) Promise.resolve(returned).catch(failed)
      } catch (cause) {
        failed(cause)
      }
    }
  }
  if (runtime.accessLog && !exchange.forwarded) logAccess(exchange)
  runtime.leave(exchange)
}

/** Ends a response that has begun and cannot be finished: the connection is cut, so that the client can tell. */
export function cutOff(exchange: Exchange, cause: unknown): void {
  if (exchange.finished) return
  const error = asGatewayError(cause)
  logFailure(exchange, error)
  exchange.stream.abort(error)
  finish(exchange, error)
}

function summarise(exchange: Exchange) {
  return {
    status: exchange.status,
    attempts: exchange.attempts,
    bytesIn: exchange.bytesIn,
    bytesOut: exchange.bytesOut,
    durationMs: exchange.runtime.deadlines.now() - exchange.startedAt,
    target: exchange.target,
    error: exchange.error,
  }
}

function logAccess(exchange: Exchange): void {
  const { target, error, durationMs, ...rest } = summarise(exchange)
  exchange.runtime.log.info('request', {
    requestId: exchange.id,
    client: exchange.client.address,
    method: exchange.method,
    host: exchange.host,
    path: exchange.path,
    route: exchange.route,
    target: target?.url,
    ...rest,
    // Whole microseconds: what stands behind them is noise, and dear to print.
    durationMs: Math.round(durationMs * 1_000) / 1_000,
    code: error?.code,
  })
}

/** Client mistakes are worth a debug line; everything else somebody has to look at. */
export function logFailure(exchange: Exchange, error: GatewayError): void {
  const { log } = exchange.runtime
  // Whoever forwards is told, and knows what it means.
  const isTold = exchange.forwarded && error.code !== 'GATEWAY_PLUGIN_FAILED'
  const write = error.status >= 500 && error.source !== 'client' && !isTold ? log.error : log.debug
  write.call(log, error.message, {
    requestId: exchange.id,
    code: error.code,
    status: error.status,
    method: exchange.method,
    path: exchange.path,
    route: exchange.route,
    target: exchange.target?.url,
    err: error.cause,
  })
}
