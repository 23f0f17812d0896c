import {
  type Context,
  definePlugin,
  type FieldList,
  type Reply,
  type ResponseHead,
  type RouteHooks,
} from '@gateway/core'
import * as z from 'zod'
import { compilePolicy, type Policy, policySchema } from './policy.ts'

/**
 * The CORS protocol of the Fetch standard (section 3.2). With options it holds for every route; a route may bring a policy
 * of its own, which takes the place of the gateway's, or switch it off with `cors: false`.
 */
export const cors = definePlugin({
  name: 'cors',
  // First in, last out: a preflight is answered before anybody is asked who they are, and errors carry the fields as well.
  stage: 'guard',
  options: policySchema.optional(),
  routeOptions: z.union([z.literal(false), policySchema]),
  alwaysOn: options => options !== undefined,
  setup(_host, options) {
    const everywhere = options && hooksOf(compilePolicy(options))
    return {
      onRoute({ options: own }) {
        if (own === false) return
        return own === undefined ? everywhere : hooksOf(compilePolicy(own))
      },
    }
  },
})

function hooksOf(policy: Policy): RouteHooks {
  return {
    onPreflight: ({ headers }) => answerPreflight(policy, headers),
    onResponse: (ctx, head) => markResponse(policy, ctx, head),
  }
}

const preflightVary = 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers'

/** It says what is allowed; to compare that with what was asked is the browser's part. */
function answerPreflight(policy: Policy, asked: FieldList): Reply {
  const origin = allowedOrigin(policy, asked)
  if (origin === undefined) return { status: 403, headers: { Vary: preflightVary } }
  const requested = asked.get('access-control-request-headers')
  const privateNetwork = policy.privateNetwork && asked.get('access-control-request-private-network') === 'true'
  return {
    status: 204,
    headers: {
      Vary: preflightVary,
      'Access-Control-Allow-Origin': origin,
      // For the route of that very method, so there is one.
      'Access-Control-Allow-Methods': policy.methods ?? asked.get('access-control-request-method') ?? '',
      'Access-Control-Max-Age': policy.maxAgeSeconds,
      ...(policy.headers === undefined
        ? requested !== undefined && { 'Access-Control-Allow-Headers': requested }
        : policy.headers !== '' && { 'Access-Control-Allow-Headers': policy.headers }),
      ...(policy.credentials && { 'Access-Control-Allow-Credentials': 'true' }),
      ...(privateNetwork && { 'Access-Control-Allow-Private-Network': 'true' }),
    },
  }
}

const corsFields = [
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'access-control-max-age',
  'access-control-allow-private-network',
]

function markResponse(
  policy: Policy,
  { method, headers: asked }: Context,
  { headers, fromUpstream }: ResponseHead,
): void {
  if (method === 'OPTIONS' && asked.has('access-control-request-method') && !fromUpstream) return
  // An upstream with ideas of its own would leave two answers, and browsers take none then.
  if (fromUpstream) for (const name of corsFields) headers.delete(name)
  // Also where there is no Origin: a cache must not hand that answer to a page.
  if (policy.allows !== undefined) addVary(headers)
  const origin = allowedOrigin(policy, asked)
  if (origin === undefined) return
  headers.set('Access-Control-Allow-Origin', origin)
  if (policy.credentials) headers.set('Access-Control-Allow-Credentials', 'true')
  if (policy.exposedHeaders !== '') headers.set('Access-Control-Expose-Headers', policy.exposedHeaders)
}

/** What Access-Control-Allow-Origin has to say; undefined when the origin is none of those allowed. */
function allowedOrigin({ allows }: Policy, asked: FieldList): string | undefined {
  const origin = asked.get('origin')
  if (origin === undefined) return undefined
  if (allows === undefined) return '*'
  return allows(origin) ? origin : undefined
}

function addVary(headers: FieldList): void {
  const vary = headers.get('vary')
  if (vary === undefined) headers.set('Vary', 'Origin')
  else if (!/(?:^|,)\s*(?:\*|origin)\s*(?:,|$)/i.test(vary)) headers.append('Vary', 'Origin')
}
