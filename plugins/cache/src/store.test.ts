import { randomBytes } from 'node:crypto'
import type { FieldList } from '@gateway/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Policy } from './policy.ts'
import { Store } from './store.ts'
import type { StoredResponse } from './stored-response.ts'

const policy: Policy = {
  reach: 2,
  lifetime: 1,
  noCache: false,
  mustRevalidate: false,
  staleWhileRevalidate: 0,
  staleIfError: 0,
  keep: true,
}
const request = (language: string) => ({ get: () => language }) as unknown as FieldList
const response = (bytes: number, language: string): StoredResponse => ({
  status: 200,
  headers: {},
  etag: randomBytes(6).toString('hex'),
  lastModified: undefined,
  changedAt: 0,
  varies: [['accept-language', language]],
  policy,
  initialAge: 0,
  receivedAt: 0,
  body: new Uint8Array(0),
  bytes,
})

const path = fc.constantFrom('/a', '/a/b', '/c')
const language = fc.constantFrom('de', 'en', 'fr')
const operation = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), path, language, bytes: fc.integer({ min: 1, max: 60 }) }),
  fc.record({ kind: fc.constant('find' as const), path, language }),
  fc.record({ kind: fc.constant('purge' as const), path }),
  fc.record({ kind: fc.constant('reserve' as const), bytes: fc.integer({ min: 0, max: 120 }) }),
  fc.record({ kind: fc.constant('release' as const) }),
)

test('it never holds more than its bound, forgets nothing without need, and finds what it has', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), operations => {
      const store = new Store(100)
      /** In the order of use. */
      const model = new Map<string, StoredResponse>()
      let reserved: number[] = []
      const total = () =>
        [...model.values(), ...reserved.map(bytes => ({ bytes }))].reduce((sum, { bytes }) => sum + bytes, 0)
      const makeRoom = (bytes: number) => {
        if (bytes > 100) return false
        for (const key of model.keys()) if (total() + bytes > 100) model.delete(key)
        return total() + bytes <= 100
      }
      for (const step of operations) {
        if (step.kind === 'put') {
          const key = `${step.path} ${step.language}`
          const stored = response(step.bytes, step.language)
          model.delete(key)
          if (makeRoom(step.bytes)) model.set(key, stored)
          store.put(step.path, `host${step.path}`, request(step.language), stored)
        } else if (step.kind === 'find') {
          const key = `${step.path} ${step.language}`
          const known = model.get(key)
          expect(store.find(step.path, request(step.language), 0)).toBe(known)
          model.delete(key)
          if (known !== undefined) model.set(key, known)
        } else if (step.kind === 'purge') {
          const gone = [...model.keys()].filter(key => key.startsWith(`${step.path} `))
          for (const key of gone) model.delete(key)
          expect(store.purge({ place: `host${step.path}` })).toBe(gone.length)
        } else if (step.kind === 'reserve') {
          const fits = makeRoom(step.bytes)
          expect(store.reserve(step.bytes)).toBe(fits)
          if (fits) reserved.push(step.bytes)
        } else {
          for (const bytes of reserved) store.release(bytes)
          reserved = []
        }
        expect([store.bytes, store.size]).toEqual([total(), model.size])
        expect(store.bytes).toBeLessThanOrEqual(100)
      }
    }),
    { seed: 9111, numRuns: 500 },
  )
})

test('of one address it keeps so many variants, the latest', () => {
  const store = new Store(1e6)
  for (let number = 0; number < 100; number++) store.put('key', 'host/', request(`${number}`), response(1, `${number}`))
  expect(store.size).toBe(64)
  expect([35, 36, 99].map(number => store.find('key', request(`${number}`), 0) !== undefined)).toEqual([
    false,
    true,
    true,
  ])
})

test.each([
  ['de ,\ten', true],
  ['\tde,en ', true],
  ['de,e n', false],
  ['de,en\xa0', false],
  [`de,${' '.repeat(300_000)}en`, true],
  [`de,e${' '.repeat(300_000)}n`, false],
])('white space around commas says nothing, any other does: %#', (language, same) => {
  const store = new Store(100)
  store.put('/a', 'host/a', request('de,en'), response(1, 'de,en'))
  expect(store.find('/a', request(language), 0) !== undefined).toBe(same)
})
