import { setImmediate } from 'node:timers/promises'
import type { LintCode } from '../config/lint-codes.ts'
import type { Problem } from '../config/problem.ts'
import type { Lint, Linted } from './finding.ts'
import { inlineSecrets } from './inline-secrets.ts'
import { withoutRequiredPlugin } from './required.ts'
import { routeConflicts } from './route-conflicts.ts'
import { literalSecrets } from './secrets.ts'
import { bufferedStreams } from './streams.ts'
import { bodyTimeouts } from './timeouts.ts'
import { unusedPlugins, unusedServices } from './unused.ts'

const lints: readonly Lint[] = [
  routeConflicts,
  unusedServices,
  unusedPlugins,
  bufferedStreams,
  withoutRequiredPlugin,
  bodyTimeouts,
  inlineSecrets,
  literalSecrets,
]

/** What the gateway would refuse, or the operator has asked for. */
const wrong: ReadonlySet<LintCode> = new Set(['CONFIG_ROUTE_WITHOUT_REQUIRED'])

/** How long the lints may keep the event loop to themselves, in milliseconds. */
const sliceMs = 5

/**
 * All that a config could do better, at the levels that it asks for. For 10,000 routes that is a tenth of a second of
 * work, so it is done in slices, beside the requests that are being served; aborted, it ends with nothing.
 */
export async function lint(linted: Linted, signal?: AbortSignal): Promise<Problem[]> {
  const problems: Problem[] = []
  let until = performance.now() + sliceMs
  for (const finding of findings(linted)) {
    if (finding !== undefined) problems.push(finding)
    if (performance.now() < until) continue
    await setImmediate()
    if (signal?.aborted) return []
    until = performance.now() + sliceMs
  }
  return problems
}

function* findings(linted: Linted): Generator<Problem | undefined> {
  const levels = linted.model.lint
  for (const run of lints) {
    for (const finding of run(linted)) {
      const severity =
        finding === undefined ? 'off' : (levels[finding.code] ?? (wrong.has(finding.code) ? 'error' : 'warning'))
      yield finding === undefined || severity === 'off' ? undefined : { severity, ...finding }
    }
  }
}
