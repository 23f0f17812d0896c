import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { responseCorpus } from './responses/index.ts'
import { cut } from './support/play-request.ts'
import { expectation, playResponse } from './support/play-response.ts'
import { type Rig, startRig } from './support/rig.ts'
import { placesToCut } from './support/splits.ts'

let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(() => rig.close())

const seed = Math.trunc(Math.random() * 2 ** 31)

test('there are enough', () => {
  expect(Object.values(responseCorpus).flat().length).toBeGreaterThan(150)
})

describe.each(Object.entries(responseCorpus))('%s', (_topic, cases) => {
  test.each(cases.map(row => ({ row, title: `${row.name} (${row.section})` })))('$title', async ({ row }) => {
    const expected = expectation(row)
    for (const places of placesToCut(row.bytes.length, seed)) {
      const seen = await playResponse(rig, row, cut(row.bytes, places))
      expect(seen, `cut at ${places.length > 9 ? 'every byte' : places}, seed ${seed}`).toEqual(expected)
    }
  })
})
