import type { LintCode } from '../config/lint-codes.ts'
import type { Problem } from '../config/problem.ts'
import { inSlices, type Sliced } from '../slices.ts'
import type { Lint, Linted, ReportFinding } from './finding.ts'
import { inlineSecrets } from './inline-secrets.ts'
import { withoutRequiredPlugin } from './required.ts'
import { routeConflicts } from './route-conflicts.ts'
import { literalSecrets } from './secrets.ts'
import { bufferedStreams } from './streams.ts'
import { bodyTimeouts } from './timeouts.ts'
import { unusedPlugins, unusedServices } from './unused.ts'
import { unverifiedTargets } from './unverified.ts'

const lints: readonly Lint[] = [
  routeConflicts,
  unusedServices,
  unusedPlugins,
  bufferedStreams,
  withoutRequiredPlugin,
  bodyTimeouts,
  inlineSecrets,
  literalSecrets,
  unverifiedTargets,
]

/** What the gateway would refuse, or the operator has asked for. */
const wrong: ReadonlySet<LintCode> = new Set(['CONFIG_ROUTE_WITHOUT_REQUIRED'])

/**
 * All that a config could do better, at the levels that it asks for. For 10,000 routes that is a tenth of a second of
 * work, so it is done in slices, beside the requests that are being served; aborted, it ends with nothing.
 */
export async function lint(linted: Linted, signal?: AbortSignal): Promise<Problem[]> {
  const problems: Problem[] = []
  const levels = linted.model.lint
  const report: ReportFinding = finding => {
    const severity = levels[finding.code] ?? (wrong.has(finding.code) ? 'error' : 'warning')
    if (severity !== 'off') problems.push({ severity, ...finding })
  }
  await inSlices(runAll(linted, report, signal))
  return signal?.aborted ? [] : problems
}

function* runAll(linted: Linted, report: ReportFinding, signal: AbortSignal | undefined): Sliced<void> {
  for (const run of lints) {
    for (const step of run(linted, report)) {
      if (signal?.aborted) return
      yield step
    }
  }
}
