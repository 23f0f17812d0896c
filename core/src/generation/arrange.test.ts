import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { RouteModel } from '../config/model.ts'
import { normalise } from '../config/normalise.ts'
import type { CompiledRoute } from '../exchange/route.ts'
import { compileRouter } from '../routing/router.ts'
import { arrange, type Routing } from './arrange.ts'
import type { RunningRoute } from './generation.ts'

const names = Array.from({ length: 12 }, (_, i) => `r${i}`)
const noFields = { get: () => undefined }

/** Each route by itself, so that routes of one config may ask for the same. */
const read = new Map<string, RouteModel>()
function running([name, match]: readonly [string, string]): RunningRoute {
  const model =
    read.get(name + match) ?? normalise({ routes: { [name]: { match, reply: { status: 200 } } } }).model?.routes[0]
  if (model === undefined) throw new Error(`${name}: ${match} is no route`)
  read.set(name + match, model)
  return { model, compiled: { name } as CompiledRoute }
}

const table = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...names), fc.constantFrom('GET /a', 'ANY /a', 'GET /:x', 'GET /a/b')), {
    selector: ([name]) => name,
  })
  .map(rows => rows.map(running))

const found = ({ router, routes }: Routing, path: string) => {
  const match = router.match('GET', 'h', path, '', noFields)
  return match.found ? routes[match.value]?.model : undefined
}

test('a router that was changed again and again leads where one of its own would', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(table, { minLength: 1, maxLength: 6 }), async tables => {
      let routing: Routing | undefined
      for (const routes of tables) {
        routing = await arrange(routes, routing)
        expect(routing.routes.toSorted(byName)).toEqual(routes.toSorted(byName))
        const own = compileRouter(routes.map(({ model }) => ({ ...model, value: model })))
        for (const path of ['/a', '/b', '/a/b', '/c/d']) {
          const match = own.match('GET', 'h', path, '', noFields)
          expect(found(routing, path)).toBe(match.found ? match.value : undefined)
        }
      }
    }),
    { numRuns: 300 },
  )
})

test('routes that stay keep their places, wherever the config has them now', async () => {
  const route = (name: string) => running([name, `GET /${name}`])
  const [a, b, c, d, e] = ['a', 'b', 'c', 'd', 'e'].map(route)
  const list = async (before: Routing | undefined, ...routes: (RunningRoute | undefined)[]) =>
    arrange(
      routes.flatMap(other => other ?? []),
      before,
    )
  const first = await list(undefined, a, b, c)
  const second = await list(first, d, c, b, a)
  expect(second.routes).toEqual([a, b, c, d])
  const third = await list(second, e, d, c)
  expect(third.routes.toSorted(byName)).toEqual([c, d, e])
  expect(third.routes[2]).toBe(c)
  // The same requests go to the same places.
  expect((await list(first, c, b, a)).router).toBe(first.router)
  expect(first.routes).toEqual([a, b, c])
})

const byName = (one: RunningRoute, other: RunningRoute) => (one.model.name < other.model.name ? -1 : 1)
