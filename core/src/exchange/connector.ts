import { GatewayError } from '../contract/errors.ts'
import type { Connector } from '../contract/host.ts'
import { Fields } from '../http1/fields.ts'
import type { UpstreamAttempt } from './attempt.ts'
import { asGatewayError, reasonOf } from './plugin-failure.ts'
import { type Response, responseOf } from './response.ts'
import { dispose } from './walk.ts'

/** Sends an attempt through a plugin's connector instead of the kernel's HTTP client. */
export function openConnector(
  run: UpstreamAttempt,
  connector: Connector,
  answered: (run: UpstreamAttempt, response: Response) => void,
): void {
  connector.open(run.exchange, run, run.openBody()).then(
    answer => {
      if (run.over) return dispose(answer)
      try {
        const headers = new Fields()
        for (const [name, value] of answer.headers) headers.append(name, value)
        answered(run, { ...responseOf(answer.status, headers, answer.body), fromUpstream: true })
      } catch (cause) {
        dispose(answer)
        const message = `the connector to ${run.target.url} gave an answer that is none: ${reasonOf(cause)}`
        run.fail(new GatewayError('GATEWAY_PLUGIN_FAILED', message, { cause }))
      }
    },
    error => run.fail(asGatewayError(error)),
  )
}
