import type { Target } from '@gateway/core'

export type FakeTarget = { -readonly [Key in keyof Target]: Target[Key] }

/** A target as balancers and plugins see it, with nothing behind it. */
export const fakeTarget = (url: string, more: Partial<Target> = {}): FakeTarget => ({
  url,
  weight: 1,
  inFlight: 0,
  priority: 0,
  zone: undefined,
  metadata: {},
  available: true,
  ...more,
})
