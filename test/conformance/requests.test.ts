import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { requestCorpus } from './requests/index.ts'
import { cut, expectation, playRequest } from './support/play-request.ts'
import { type Rig, startRig } from './support/rig.ts'
import { placesToCut } from './support/splits.ts'

let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(() => rig.close())

const seed = Math.trunc(Math.random() * 2 ** 31)

test('there are enough', () => {
  expect(Object.values(requestCorpus).flat().length).toBeGreaterThan(400)
})

describe.each(Object.entries(requestCorpus))('%s', (_topic, cases) => {
  test.each(cases.map(row => ({ row, title: `${row[0]} (${row[1]})` })))('$title', async ({ row }) => {
    const [, , bytes] = row
    const expected = expectation(rig, row)
    for (const places of placesToCut(bytes.length, seed)) {
      const seen = await playRequest(rig, row, cut(bytes, places))
      expect(seen, `cut at ${places.length > 9 ? 'every byte' : places}, seed ${seed}`).toEqual(expected)
    }
  })
})
