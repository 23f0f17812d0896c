import { Readable } from 'node:stream'
import type { Reply } from '../contract/context.ts'
import type { GatewayError } from '../contract/errors.ts'
import type { Connector } from '../contract/host.ts'
import type { BodySink } from '../http1/wire.ts'
import type { UpstreamAttempt } from './attempt.ts'
import type { Exchange } from './exchange.ts'
import { pluginFailure } from './plugin-failure.ts'

/** Sends an attempt through a plugin's connector instead of the kernel's HTTP client. */
export function openConnector(
  exchange: Exchange,
  attempt: UpstreamAttempt,
  connector: Connector,
  answered: (reply: Reply) => void,
  failed: (error: GatewayError) => void,
): void {
  const turn = ++exchange.turn
  const body = exchange.stream.bodyLength === 0 ? undefined : requestBody(exchange)
  connector.open(exchange, attempt, body).then(
    ({ status, headers, body: answer }) => {
      if (exchange.turn !== turn) return answer instanceof Readable ? void answer.destroy() : undefined
      const lines: Record<string, string[]> = {}
      for (const [name, value] of headers) (lines[name] ??= []).push(value)
      answered({ status, headers: lines, body: answer })
    },
    error => {
      if (exchange.turn === turn) failed(pluginFailure('connector', 'open', error))
    },
  )
}

function requestBody(exchange: Exchange): Readable {
  const { stream } = exchange
  const body = new Readable({ read: () => stream.resumeBody() })
  const sink: BodySink = {
    onData(chunk) {
      exchange.bytesIn += chunk.byteLength
      return body.push(chunk)
    },
    onEnd: () => void body.push(null),
    onError: error => void body.destroy(error),
  }
  stream.readBody(sink)
  return body
}
