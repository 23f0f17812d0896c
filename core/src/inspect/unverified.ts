import type { Lint } from './finding.ts'

/** Services whose targets may show any certificate. */
export const unverifiedTargets: Lint = function* ({ model }, report) {
  for (const { name, tls } of model.services) {
    if (tls?.verify !== false) continue
    yield
    const message =
      'any certificate is taken, so whoever is on the way reads and answers requests: name an authority in `ca` instead'
    report({ code: 'CONFIG_TLS_UNVERIFIED', message, path: ['services', name, 'tls', 'verify'] })
  }
}
