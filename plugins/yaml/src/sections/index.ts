import { anything, type Field, type Fields, table } from '../table/field.ts'
import { backendHttp } from './backend-http.ts'
import { circuitBreaker } from './circuit-breaker.ts'
import { cors } from './cors.ts'
import { frontendHttp } from './frontend-http.ts'
import { health } from './health.ts'
import { management } from './management.ts'
import { middleware } from './middleware.ts'
import { openapi } from './openapi.ts'
import { pluginsField } from './plugins.ts'
import { rateLimitStorage } from './rate-limit-storage.ts'
import { registry } from './registry.ts'
import { retry } from './retry.ts'
import { router } from './router.ts'
import { type Section, section } from './section.ts'
import { sse } from './sse.ts'
import { metrics, telemetry } from './telemetry.ts'
import { versioning } from './versioning.ts'
import { websocket } from './websocket.ts'

/** All that is read of a file, in the order in which it is. */
export const sections: readonly Section[] = [
  frontendHttp,
  registry,
  router,
  backendHttp,
  section('backend.grpc', anything({ noEffect: 'gRPC passes as it is, by what backend.http says' }), () => {}),
  // Behind the rules, whose own wishes it fulfils.
  ...middleware,
  health,
  metrics,
  circuitBreaker,
  retry,
  cors,
  ...rateLimitStorage,
  telemetry,
  management,
  openapi,
  section('protocols', anything({ noEffect: 'services and rules say what they speak' }), () => {}),
  // Behind what rules are given: these add routes to them.
  versioning,
  ...websocket,
  ...sse,
]

/** What may stand under `gateway`, as one table: for hints, the environment overlay and the JSON Schema. */
export const gatewayTable = table({ ...nested(sections), plugins: pluginsField })

function nested(parts: readonly Section[]): Fields {
  const fields: Record<string, Field> = {}
  const folders = new Map<string, Record<string, Field>>()
  for (const { path, field } of parts) {
    const [first = '', second] = path.split('.')
    if (second === undefined) fields[first] = field
    else {
      const folder = folders.get(first) ?? {}
      folders.set(first, folder)
      folder[second] = field
    }
  }
  for (const [name, keys] of folders) fields[name] = table(keys)
  return fields
}
