import { definePlugin, type Host } from '@gateway/core'
import { Callers } from './callers.ts'
import { identity } from './contract.ts'
import { fieldRemover } from './forward-headers.ts'
import { guard } from './guard.ts'
import { ScryptQueue } from './hashes.ts'
import { type BearerOptions, jwtMethod } from './jwt/method.ts'
import { apiKeyMethod } from './methods/api-key.ts'
import { basicMethod } from './methods/basic.ts'
import { certificateMethod } from './methods/certificate.ts'
import { forwardMethod } from './methods/forward.ts'
import { introspectionMethod } from './methods/introspection.ts'
import { type AuthOptions, authSchema, routeOptionsSchema } from './options.ts'
import { Replies } from './replies.ts'
import { requirementsOf } from './requirements.ts'
import { Roles } from './roles.ts'
import type { Method } from './verdict.ts'

export { type Identity, identity } from './contract.ts'

/**
 * Who calls, and whether they may. A route that says nothing asks for credentials; `auth: false` makes it public. Who it
 * is stands in the slot `identity` for other plugins and for hooks of a route.
 */
export const auth = definePlugin({
  name: 'auth',
  stage: 'identify',
  options: authSchema,
  routeOptions: routeOptionsSchema,
  writes: [identity],
  // Otherwise a route that does not name it is public, even though fields that tell of callers are removed there, too.
  alwaysOn: options => options.default !== false,
  setup(host, options) {
    const { realm, rbac, forwardHeaders, default: everywhere } = options
    const methods = methodsOf(host, options)
    const roles = rbac && new Roles(rbac)
    const callers = new Callers(roles, forwardHeaders)
    // On public routes, too: an upstream must never take a client's word for who it is.
    const removeFields = fieldRemover(forwardHeaders)
    return {
      onRoute({ options: own = everywhere, problem }) {
        if (own === false) return removeFields && { onRequest: removeFields }
        const rules = { ...(everywhere === false ? {} : everywhere), ...own }
        const chosen = (rules.methods ?? methods.map(({ name }) => name)).flatMap(name => {
          const method = methods.find(one => one.name === name)
          if (method === undefined) problem(`the method "${name}" is not configured`)
          return method ?? []
        })
        if (rules.permissions !== undefined && rbac === undefined) problem('permissions need rbac in its options')
        const requirements = requirementsOf(rules, roles, rbac?.requests ?? false, host.log)
        const replies = new Replies(realm, chosen)
        const check = guard(
          { methods: chosen, optional: rules.optional ?? false, requirements, callers, replies },
          host.log,
        )
        if (removeFields === undefined) return { onRequest: check }
        return {
          onRequest(ctx) {
            removeFields(ctx)
            return check(ctx)
          },
        }
      },
    }
  },
})

/** The methods that are configured, in the order in which they look for credentials unless a route has another. */
function methodsOf(host: Host, options: AuthOptions): Method[] {
  const { jwt, introspection, apiKeys, basic, certificate, forward, token } = options
  const { maxSize, ...places } = token
  const sharesScheme = apiKeys?.scheme?.toLowerCase() === token.scheme.toLowerCase()
  const bearer: BearerOptions = {
    places,
    maxSize,
    jwtOnly: introspection !== undefined || sharesScheme,
    jwtToo: jwt !== undefined,
  }
  const scrypts = new ScryptQueue()
  return [
    jwt && jwtMethod(host, jwt, bearer),
    introspection && introspectionMethod(host, introspection, bearer),
    apiKeys && apiKeyMethod(host, apiKeys, scrypts),
    basic && basicMethod(host, basic, scrypts),
    certificate && certificateMethod(host, certificate),
    forward && forwardMethod(forward),
  ].filter(method => method !== undefined)
}
