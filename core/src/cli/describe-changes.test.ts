import { expect, test } from 'vitest'
import * as z from 'zod'
import { normalise } from '../config/normalise.ts'
import { ConfigProblems } from '../config/problem.ts'
import { definePlugin } from '../contract/plugin.ts'
import { compareModels } from '../inspect/compare-models.ts'
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
const changes = (more: object) => compareModels(modelOf(base()), modelOf(base(more)))
const said = (more: object) => describeChanges(changes(more))

test('what is loaded again as it was is no change', () => {
  const { routes, services, plugins, listeners, settings } = changes({})
  for (const { added, removed, changed } of [routes, services, plugins, listeners]) {
    expect([added, removed, changed]).toEqual([[], [], []])
  }
  expect(settings).toEqual([])
  expect(services.kept).toEqual(['users', 'orders'])
  expect(listeners.kept).toEqual(['*:0', '*:0 (2)'])
  expect(said({})).toBe('nothing that it serves is different')
})

test('routes come, go and change', () => {
  const { a, b } = base().routes
  const more = Object.fromEntries(['c', 'd', 'e', 'f'].map(name => [name, { match: `GET /${name}`, reply }]))
  expect(said({ routes: { b, ...more } })).toBe('+4 routes, -1 route (a), 2 services kept')
  expect(said({ routes: { a: { ...a, headers: { x: /2/ } }, b } })).toBe('~1 route (a), 2 services kept')
  expect(said({ routes: { a: { ...a, onRequest: () => ({ status: 404 }) }, b } })).toBe('~1 route (a), 2 services kept')
})

test('services, plugins, listeners and settings', () => {
  const { services } = base()
  expect(said({ services: { ...services, users: { targets: ['http://c'] } } })).toBe(
    '~1 service (users), service orders kept',
  )
  expect(said({ plugins: [limit()({ most: 4 }), other()] })).toBe('~1 plugin (limit), 2 services kept')
  expect(said({ plugins: [limit(() => void 'mended')({ most: 3 }), other()] })).toBe(
    '~1 plugin (limit), 2 services kept',
  )
  expect(said({ plugins: [other()] })).toBe('-1 plugin (limit), 2 services kept')
  expect(said({ plugins: [other(), limit()({ most: 3 })] })).toBe('~order of plugins, 2 services kept')
  expect(said({ listen: { port: 8080 } })).toBe('+1 listener (*:8080), -2 listeners (*:0, *:0 (2)), 2 services kept')
  expect(said({ drainTimeout: '1s', log: { level: 'warn' } })).toBe('~drainTimeoutMs, ~log, 2 services kept')
})

test('options that lead round in a circle end', () => {
  const circle = () => {
    const options: Record<string, unknown> = {}
    options.self = options
    return { plugins: [definePlugin({ name: 'round', options: z.unknown(), setup() {} })(options)], routes: {} }
  }
  expect(describeChanges(compareModels(modelOf(circle()), modelOf(circle())))).toBe('~1 plugin (round)')
})
