import { vi } from 'vitest'

/** Waits until a check passes: for what shows itself by no event. The time limit is there to fail by, not to pass by. */
export function eventually(check: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(check, { timeout: 15_000, interval: 2 })
}
