import { anything, type Field, type Fields, table } from '../table/field.ts'
import { backendHttp } from './backend-http.ts'
import { frontendHttp } from './frontend-http.ts'
import { pluginsField } from './plugins.ts'
import { registry } from './registry.ts'
import { router } from './router.ts'
import { pending, type Section } from './section.ts'
import { sse } from './sse.ts'
import { websocket } from './websocket.ts'

const waits = (path: string, refuse = false) => pending(path, anything(), refuse)

/** All that is read of a file, in the order in which it is. */
export const sections: readonly Section[] = [
  frontendHttp,
  registry,
  router,
  backendHttp,
  waits('backend.grpc'),
  waits('auth', true),
  waits('health'),
  waits('metrics'),
  waits('circuitBreaker'),
  waits('retry'),
  waits('cors'),
  waits('redis'),
  waits('rateLimitStorage'),
  waits('telemetry'),
  waits('management'),
  waits('middleware', true),
  waits('openapi'),
  waits('versioning'),
  waits('protocols'),
  // Behind what rules are given: these add routes to them.
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
