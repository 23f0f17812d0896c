import { expect, test } from 'vitest'
import { soak } from './soak.ts'

// The same choices every time; `npm run soak` goes on for ten minutes from a random seed.
test('a few seconds of mixed traffic leave nothing behind', async () => {
  const { done, held, faults } = await soak({ ms: 3_000, seed: 20261123, clients: 12, reloadMs: 500 })
  expect(faults).toEqual([])
  expect(held.filter(({ ok }) => !ok)).toEqual([])
  expect(Object.keys(done)).toHaveLength(8)
}, 60_000)
