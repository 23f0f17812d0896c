import { defineExtension, definePlugin } from '@gateway/core'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { normalise, normaliseAfter } from '../config/normalise.ts'
import { ConfigProblems } from '../config/problem.ts'
import { serialiseModel } from '../control/serialise-model.ts'
import { buildGeneration } from '../generation/build.ts'
import { SharedStore } from '../generation/shared-store.ts'
import { silentLog } from '../log.ts'
import { whole } from '../slices.ts'
import { planReload } from './plan-reload.ts'

const first = () => ({ pick: <T>([target]: readonly T[]) => target })
const ring = defineExtension({ point: 'balancer', name: 'ring', create: first })
const dns = defineExtension({ point: 'discovery', name: 'dns', create: () => ({ watch() {} }) })
const found = definePlugin({ name: 'found', extensions: [ring, dns], setup() {} })
const limit = definePlugin({ name: 'limit', options: z.object({ most: z.number(), apiKey: z.string() }), setup() {} })
const check = definePlugin({ name: 'check', serviceOptions: z.object({ ok: z.unknown() }), setup() {} })

const routes = { a: { match: 'GET /a', service: 'users' }, b: { match: 'GET /b', service: 'users', timeout: '5s' } }
const services = { users: { targets: ['http://a', 'http://b'] } }
const base = { plugins: [found(), limit({ most: 3, apiKey: 'hush-hush' }), check()], services, routes }

async function serialised(config: object) {
  const { model, problems } = normalise(config)
  if (model === undefined) throw new ConfigProblems(problems)
  return serialiseModel(model, 'salt')
}
const planOf = async (before: object, after: object) =>
  planReload(await serialised({ ...base, ...before }), await serialised({ ...base, ...after }))

test('nothing', async () => {
  const ringed = { services: { users: { ...services.users, balance: 'ring' } } }
  const plan = await planOf(ringed, ringed)
  expect(plan).toMatchObject({ differs: false, settings: [], pluginOrder: null, connections: [] })
  expect(plan.serviceFates).toEqual([
    { name: 'users', fate: 'kept', because: [], targets: { added: [], removed: [], kept: 2 } },
  ])
  expect(plan.routes).toEqual({ added: [], removed: [], changed: [], kept: ['a', 'b'] })
})

test('values that differ, by their path, and no secret', async () => {
  const plan = await planOf(
    { drainTimeout: '10s' },
    {
      plugins: [limit({ most: 4, apiKey: 'other' }), found(), check()],
      routes: { b: { ...routes.b, match: 'POST /b', timeout: '7s' }, c: routes.a },
    },
  )
  expect(plan.differs).toBe(true)
  expect(plan.settings).toEqual([{ path: ['drainTimeoutMs'], before: 10_000, after: 30_000 }])
  expect(plan.pluginOrder).toEqual({ before: ['found', 'limit', 'check'], after: ['limit', 'found', 'check'] })
  expect(plan.plugins.changed).toMatchObject([
    { name: 'limit', changes: [{ path: ['options', 'apiKey'] }, { path: ['options', 'most'], before: 3, after: 4 }] },
  ])
  expect(plan.routes).toEqual({
    added: ['c'],
    removed: ['a'],
    changed: [
      {
        name: 'b',
        changes: [
          { path: ['match'], before: 'GET /b', after: 'POST /b' },
          { path: ['timeouts', 'total'], before: 5_000, after: 7_000 },
        ],
      },
    ],
    kept: [],
  })
  expect(JSON.stringify(plan)).not.toMatch(/hush-hush|other/)
})

/** Built one after the other, as a reload does. */
async function reloaded(before: object, after: object) {
  const store = new SharedStore()
  const first = normalise({ ...base, ...before })
  const second = whole(normaliseAfter(first, { ...base, ...after }))
  if (first.model === undefined || second.model === undefined) throw new ConfigProblems(second.problems)
  const old = await buildGeneration(1, first.model, store, silentLog)
  const now = await buildGeneration(2, second.model, store, silentLog, old)
  const known = store.names
  await old.release()
  const names = [...now.services.keys()].filter(name => old.services.has(name)).sort()
  const closed = known.filter(name => !store.names.includes(name))
  const kept = names.filter(name => now.services.get(name)?.service === old.services.get(name)?.service)
  await now.release()
  return { kept, closed }
}

test('services: what is rebuilt, why, and which connections go, as a reload has it', async () => {
  const common = () => ({
    hashed: { targets: ['http://h'], balance: 'ring' },
    // Each load evaluates functions anew.
    coded: { targets: ['http://c'], check: { ok: () => true } },
    plain: { targets: ['http://p'] },
  })
  const before = {
    services: {
      ...common(),
      ...services,
      pooled: { targets: ['http://q'] },
      gone: { targets: ['http://a', 'http://g'] },
      lost: { discover: { use: 'dns' } },
    },
  }
  const after = {
    services: {
      ...common(),
      users: { targets: ['http://b', { url: 'http://n', weight: 2 }] },
      pooled: { targets: ['http://q'], pool: { connections: 3 } },
      heir: { targets: ['http://a'] },
    },
  }
  const { services: changes, serviceFates, connections } = await planOf(before, after)
  expect([changes.added, changes.removed]).toEqual([['heir'], ['gone', 'lost']])
  expect(serviceFates.map(({ name, fate, because }) => [name, fate, ...because])).toEqual([
    ['coded', 'rebuilt', 'its options hold functions or instances, which are new ones after every load'],
    ['hashed', 'rebuilt', `its balancer "ring" is a plugin's, and plugins are set up anew`],
    ['plain', 'kept'],
    ['pooled', 'rebuilt', 'pool changed'],
    ['users', 'rebuilt', 'targets changed'],
  ])
  expect(serviceFates.at(-1)?.targets).toEqual({ added: ['http://n'], removed: ['http://a'], kept: 1 })
  // Those to http://a stay: heir has them now.
  expect(connections).toEqual([
    {
      of: 'targets',
      at: 'http://g',
      effect: 'closed when the last request on them has ended',
    },
    {
      of: 'targets',
      at: 'http://q',
      effect: 'closed when the last request on them has ended; new ones are opened, with the new options',
    },
    {
      of: 'targets',
      at: 'lost',
      effect: 'those to targets that were discovered are closed, where no other service has them',
    },
  ])
  const { kept, closed } = await reloaded(before, after)
  expect(kept).toEqual(['plain'])
  expect(closed).toEqual(['gateway.pool http://q {}', 'gateway.pool http://g {}'])
})

test('listeners and workers: whose connections are closed', async () => {
  const effects = async (before: object, after: object) =>
    (await planOf(before, after)).connections.map(({ of, at, effect }) => `${of} ${at}: ${effect}`)
  expect(await effects({ listen: { port: 80 } }, { listen: { port: 80, limits: { bodySize: '1mb' } } })).toEqual([])
  expect(await effects({ listen: [{ port: 80 }, { port: 81 }] }, { listen: { port: 80 } })).toEqual([
    'clients *:81: idle ones are closed, others after their exchange, at the latest after 30 s',
  ])
  expect((await effects({ listen: { port: 80 } }, { listen: { port: 80, host: '::1' } })).join()).toMatch(
    /^clients \*:80: .*; ::1:80 may have to wait for its port/,
  )
  expect(await effects({ workers: 2 }, { workers: 4 })).toEqual([])
  expect(await effects({ workers: 4 }, { workers: 2 })).toEqual([
    'clients 4 → 2 workers: those of workers that leave are closed after the next answer',
  ])
})
