import fc from 'fast-check'
import { test } from 'vitest'
import { properties } from './fuzz/properties.ts'

// The same every time, so that a red run is the change's doing; `npm run fuzz` goes on from random seeds, and what it
// finds becomes a fixed case.
const seed = 20261123

test.each(Object.entries(properties).map(([name, fuzz]) => ({ name, fuzz })))(
  `fuzz: $name, seed ${seed}`,
  async ({ fuzz }) => {
    const { rig, property } = await fuzz.start()
    await fc.assert(property, { numRuns: fuzz.runs, seed })
    // Closing checks that nothing is left.
    await rig.close()
  },
  60_000,
)
