import { expect, test } from 'vitest'
import * as z from 'zod'
import { normalise } from '../config/normalise.ts'
import { ConfigProblems } from '../config/problem.ts'
import { definePlugin } from '../contract/plugin.ts'
import { serialiseModel } from '../control/serialise-model.ts'
import { compareModels } from '../plan/compare-models.ts'
import { describeChanges } from './describe-changes.ts'

const reply = { status: 200 }
const limit = (setup: () => void = () => {}) =>
  definePlugin({ name: 'limit', options: z.object({ most: z.number() }), setup })
const other = definePlugin({ name: 'other', setup() {} })

function modelOf(config: object) {
  const { model, problems } = normalise(config)
  if (model === undefined) throw new ConfigProblems(problems)
  return model
}

/** As if loaded afresh: functions, expressions and objects are new ones. */
const base = (more: object = {}) => ({
  listen: [{ port: 0 }, { port: 0 }],
  plugins: [limit()({ most: 3 }), other()],
  services: { users: { targets: ['http://a'] }, orders: { targets: ['http://b'] } },
  routes: {
    a: { match: 'GET /a', service: 'users', headers: { x: /1/ }, onRequest: () => undefined },
    b: { match: 'GET /b/:id', service: 'orders' },
  },
  ...more,
})
async function changesOf(before: object, after: object) {
  const [old, now] = await Promise.all([before, after].map(config => serialiseModel(modelOf(config), 'salt')))
  if (old === undefined || now === undefined) throw new Error('there are two')
  return compareModels(old, now)
}
const changes = (more: object) => changesOf(base(), base(more))
const said = async (more: object) => describeChanges(await changes(more))

test('what is loaded again as it was is no change', async () => {
  const { routes, services, plugins, listeners, settings } = await changes({})
  for (const { added, removed, changed } of [routes, services, plugins, listeners]) {
    expect([added, removed, changed]).toEqual([[], [], []])
  }
  expect(settings).toEqual([])
  expect(services.kept).toEqual(['orders', 'users'])
  expect(listeners.kept).toEqual(['*:0', '*:0, 2'])
  expect(await said({})).toBe('nothing that it serves is different')
})

test('routes come, go and change', async () => {
  const { a, b } = base().routes
  const more = Object.fromEntries(['c', 'd', 'e', 'f'].map(name => [name, { match: `GET /${name}`, reply }]))
  expect(await said({ routes: { b, ...more } })).toBe('+4 routes, -1 route (a), 2 services kept')
  expect(await said({ routes: { a: { ...a, headers: { x: /2/ } }, b } })).toBe('~1 route (a), 2 services kept')
  expect(await said({ routes: { a: { ...a, onRequest: () => ({ status: 404 }) }, b } })).toBe(
    '~1 route (a), 2 services kept',
  )
})

test('services, plugins, listeners and settings', async () => {
  const { services } = base()
  expect(await said({ services: { ...services, users: { targets: ['http://c'] } } })).toBe(
    '~1 service (users), service orders kept',
  )
  expect(await said({ plugins: [limit()({ most: 4 }), other()] })).toBe('~1 plugin (limit), 2 services kept')
  expect(await said({ plugins: [limit(() => void 'mended')({ most: 3 }), other()] })).toBe(
    '~1 plugin (limit), 2 services kept',
  )
  expect(await said({ plugins: [other()] })).toBe('-1 plugin (limit), 2 services kept')
  expect(await said({ plugins: [other(), limit()({ most: 3 })] })).toBe('~order of plugins, 2 services kept')
  expect(await said({ listen: { port: 8080 } })).toBe(
    '+1 listener (*:8080), -2 listeners (*:0, *:0, 2), 2 services kept',
  )
  expect(await said({ drainTimeout: '1s', log: { level: 'warn' } })).toBe('~drainTimeoutMs, ~log, 2 services kept')
})

test('options that lead round in a circle end', async () => {
  const circle = () => {
    const options: Record<string, unknown> = {}
    options.self = options
    return { plugins: [definePlugin({ name: 'round', options: z.unknown(), setup() {} })(options)], routes: {} }
  }
  expect(describeChanges(await changesOf(circle(), circle()))).toBe('nothing that it serves is different')
})
