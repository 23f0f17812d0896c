import { afterEach } from 'vitest'

/** In the order in which a test is undone: a gateway must see its clients go, and let its upstreams go, by itself. */
const order = ['clients', 'gateways', 'checks', 'upstreams'] as const

const pending = { clients: [], gateways: [], checks: [], upstreams: [] } as Record<
  (typeof order)[number],
  (() => Promise<void>)[]
>

/** Runs after the test, newest first within its group. A clean-up that throws fails the test; the others still run. */
export function onCleanup(group: (typeof order)[number], run: () => Promise<void>): void {
  pending[group].push(run)
}

afterEach(async () => {
  const failures: unknown[] = []
  for (const group of order) {
    for (const run of pending[group].splice(0).reverse()) await run().catch(error => failures.push(error))
  }
  if (failures.length > 0) throw failures[0]
})
