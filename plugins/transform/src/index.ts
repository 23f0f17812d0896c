import { definePlugin, type RouteHooks } from '@gateway/core'
import { requestHooks } from './change-request.ts'
import { responseHooks } from './change-response.ts'
import { type Transform, transformSchema } from './options.ts'

/**
 * Changes messages on their way. The gateway's rules hold for every route; `request` and `response` of a route each take
 * the place of the gateway's.
 */
export const transform = definePlugin({
  name: 'transform',
  stage: 'shape',
  options: transformSchema,
  routeOptions: transformSchema.partial(),
  alwaysOn: ({ request, response }) => request !== undefined || response !== undefined,
  buffersBody(own, everywhere) {
    const request = (own?.request ?? everywhere.request)?.body !== undefined
    const response = (own?.response ?? everywhere.response)?.body !== undefined
    if (request && response) return true
    return request ? 'request' : response ? 'response' : undefined
  },
  setup(_host, everywhere) {
    return {
      onRoute: ({ options: own }) =>
        hooksOf({
          request: own?.request ?? everywhere.request,
          response: own?.response ?? everywhere.response,
          maxBodySize: own?.maxBodySize ?? everywhere.maxBodySize,
        }),
    }
  },
})

function hooksOf({ request, response, maxBodySize }: Transform): RouteHooks | undefined {
  if (request === undefined && response === undefined) return undefined
  const forRequest = request && requestHooks(request, maxBodySize)
  const forResponse = response && responseHooks(response, maxBodySize)
  return {
    ...forRequest,
    ...forResponse,
    // The one hook that both may have.
    ...((forRequest?.onAttempt ?? forResponse?.onAttempt) && {
      onAttempt(ctx, attempt) {
        forRequest?.onAttempt?.(ctx, attempt)
        forResponse?.onAttempt?.(ctx, attempt)
      },
    }),
  }
}
