import { findConflicts } from '../routing/conflicts.ts'
import type { Finding, Linted } from './finding.ts'

const codes = {
  // The config is not taken with one, so no model has any.
  duplicate: undefined,
  unreachable: 'CONFIG_ROUTE_UNREACHABLE',
  ambiguous: 'CONFIG_ROUTE_AMBIGUOUS',
} as const

export function* routeConflicts({ model }: Linted): Generator<Finding | undefined> {
  for (const conflict of findConflicts(model.routes)) {
    const code = conflict && codes[conflict.kind]
    yield code && { code, message: conflict.message, path: ['routes', conflict.route, 'match'] }
  }
}
