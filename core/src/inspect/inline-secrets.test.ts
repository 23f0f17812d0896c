import { expect, test } from 'vitest'
import * as z from 'zod'
import { Secret } from '../config/environment/secret.ts'
import { normalise } from '../config/normalise.ts'
import { secretText } from '../config/schema.ts'
import { definePlugin } from '../contract/plugin.ts'
import { lint } from './lint.ts'

const options = z.strictObject({
  token: secretText(),
  more: z.array(secretText()).optional(),
  users: z.record(z.string(), z.union([secretText(), z.literal(false)])).optional(),
})
const plugin = definePlugin({ name: 'p', options, routeOptions: options, serviceOptions: options })

async function warnings(given: object, onRoute: object, onService: object) {
  const config = {
    plugins: [plugin(given as never)],
    services: { s: { targets: ['http://127.0.0.1:1'], p: onService } },
    routes: { r: { match: 'GET /', service: 's', p: onRoute } },
  }
  const { model } = normalise(config)
  if (model === undefined) throw new Error('no model')
  const problems = await lint({ model, config, sources: () => new Map([['/c.ts', "token: 'text'"]]) })
  return problems.map(({ severity, code, path }) => `${severity} ${code} ${path?.join('.')}`)
}

const given = (name: string) => new Secret(name, () => 'x')

test('a secret that stands in the config is warned of, wherever a plugin takes one', async () => {
  const path = (rest: string) => `warning CONFIG_SECRET_INLINE ${rest}`
  const here = { token: given('a'), more: [given('b'), 'text'], users: { a: 'text', b: false, c: given('c') } }
  expect(await warnings({ token: 'text' }, here, { token: given('d') })).toEqual([
    path('plugins.0.token'),
    path('routes.r.p.more.1'),
    path('routes.r.p.users.a'),
  ])
  expect(await warnings({ token: given('a') }, { token: given('b') }, { token: 'text' })).toEqual([
    path('services.s.p.token'),
  ])
})

test('no text of a secret is in a problem', () => {
  const { problems } = normalise({
    plugins: [plugin({ token: 'sw0rdfish', nonsense: given('n') } as never)],
    routes: { r: { match: 'GET /', reply: { status: 200 }, p: { token: '', more: 'sw0rdfish', users: [given('u')] } } },
  })
  const text = JSON.stringify(problems)
  expect(problems.filter(({ severity }) => severity === 'error').length).toBeGreaterThan(2)
  expect(text).not.toContain('sw0rdfish')
})
