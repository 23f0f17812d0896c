import { anything, table } from '../table/field.ts'
import { authTable, mapAuth } from './auth.ts'
import { oauthTable } from './auth-oauth.ts'
import { rbacTable } from './auth-rbac.ts'
import { pair } from './section.ts'
import { mapTransform, transformTable } from './transform.ts'

const elsewhere = (path: string) => anything({ noEffect: `it is read from ${path}` })

const middlewareTable = table({
  auth: table({ oauth2: oauthTable }),
  authz: table({ rbac: rbacTable }),
  transform: transformTable,
  circuitbreaker: elsewhere('circuitBreaker'),
  retry: elsewhere('retry'),
  cors: elsewhere('cors'),
  ratelimit: elsewhere('rateLimit of rules'),
  tracking: anything({ noEffect: 'nothing has to be tracked by hand', quiet: true }),
})

/** Who may call, and what of messages is changed. */
export const middleware = pair(['auth', authTable], ['middleware', middlewareTable], (auth, middleware, gateway) => {
  mapAuth({ auth, oauth: middleware?.auth?.oauth2, rbac: middleware?.authz?.rbac }, gateway)
  mapTransform(middleware?.transform, gateway)
})
