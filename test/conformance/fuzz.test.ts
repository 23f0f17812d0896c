import fc from 'fast-check'
import { test } from 'vitest'
import { properties } from './fuzz/properties.ts'

const seed = Math.trunc(Math.random() * 2 ** 31)

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
