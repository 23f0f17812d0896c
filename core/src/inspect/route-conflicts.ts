import { findConflicts } from '../routing/conflicts.ts'
import type { Lint } from './finding.ts'

const codes = {
  // The config is not taken with one, so no model has any.
  duplicate: undefined,
  unreachable: 'CONFIG_ROUTE_UNREACHABLE',
  ambiguous: 'CONFIG_ROUTE_AMBIGUOUS',
} as const

export const routeConflicts: Lint = function* ({ model }, report) {
  for (const { kind, message, route } of yield* findConflicts(model.routes)) {
    const code = codes[kind]
    if (code !== undefined) report({ code, message, path: ['routes', route, 'match'] })
  }
}
