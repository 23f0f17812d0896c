import { identity } from '@gateway/auth/contract'
import { createGateway, defineConfig, definePlugin } from '@gateway/core'
import { pluginSuite } from '@gateway/testing'
import { split } from '@gateway/traffic'
import { describe, expect, test } from 'vitest'
import { startGateway } from '../../../test/support/gateway.ts'
import { seeded } from '../../../test/support/seeded.ts'
import { refusingOrigin } from '../../../test/support/upstream.ts'
import { ask, backend, configOf, count } from './support.ts'

for (const { name, run } of pluginSuite(() => split(), { alwaysOn: false })) test(name, run)

async function start(options: object, random = seeded(1), plugins: readonly unknown[] = []) {
  const [stable, canary, beta] = [await backend('stable'), await backend('canary'), await backend('beta')]
  const targets = { stable: stable.origin, canary: canary.origin, beta: beta.origin }
  const config = (to: object) => configOf([...plugins, split({ random })], targets, { split: to })
  const running = await startGateway(config(options))
  return { ...running, reload: (to: object) => running.gateway.reload(config(to)), running, config }
}

/** Within four standard deviations of what theory says. */
function expectShare(got: number | undefined, requests: number, share: number): void {
  const deviation = Math.sqrt(requests * share * (1 - share))
  expect(Math.abs((got ?? 0) - requests * share)).toBeLessThan(4 * deviation)
}

describe('to', () => {
  test('each service gets its share, and the route’s own the rest', async () => {
    const { running } = await start({ to: { canary: 5, beta: 20.5 } })
    const counts = await count(running, 2_000, () => ({}))
    expectShare(counts.canary, 2_000, 0.05)
    expectShare(counts.beta, 2_000, 0.205)
    expectShare(counts.stable, 2_000, 0.745)
  })

  test.each([
    [{ canary: 0 }, 'stable'],
    [{ canary: 100 }, 'canary'],
    [{ stable: 0, canary: 100 }, 'canary'],
    [{ stable: 100, canary: 0 }, 'stable'],
  ])('%j is always %s', async (to, from) => {
    const { running } = await start({ to })
    expect(await count(running, 50, () => ({}))).toEqual({ [from]: 50 })
  })

  test('goes to a service that is down no less', async () => {
    const stable = await backend('stable')
    const targets = { stable: stable.origin, canary: await refusingOrigin() }
    const running = await startGateway(configOf([split()], targets, { split: { to: { canary: 100 } } }))
    expect((await ask(running)).status).toBe(502)
  })
})

describe('by', () => {
  const user = definePlugin({
    name: 'user',
    stage: 'identify',
    setup: () => ({
      onRoute: () => ({
        onRequest(ctx) {
          const id = ctx.headers.get('x-user')
          if (id === undefined) return
          ctx.set(identity, { id, method: 'jwt', scopes: [], roles: [], claims: {}, expiresAt: undefined })
        },
      }),
    }),
  })

  test.each([
    ['header', { header: 'X-Tenant' }, (i: number) => ({ 'x-tenant': `t${i}` })],
    ['cookie', { cookie: 'session' }, (i: number) => ({ cookie: `a=b; session=s${i}` })],
    ['user', 'user', (i: number) => ({ 'x-user': `u${i}` })],
  ])('%s: a client stays where it is, and shares hold over clients', async (_what, by, headers) => {
    const { running } = await start({ to: { canary: 30 }, by }, seeded(1), [user()])
    const first = await Promise.all(Array.from({ length: 400 }, (_, i) => ask(running, headers(i))))
    expectShare(first.filter(({ from }) => from === 'canary').length, 400, 0.3)
    const again = await Promise.all(Array.from({ length: 400 }, (_, i) => ask(running, headers(i))))
    expect(again.map(({ from }) => from)).toEqual(first.map(({ from }) => from))
  })

  test('ip: all requests of an address go to one service', async () => {
    const { running } = await start({ to: { canary: 50 }, by: 'ip' })
    expect(Object.values(await count(running, 50, () => ({})))).toEqual([50])
  })

  test('a share that grows keeps its clients, on another gateway too, and without the value it is drawn', async () => {
    const by = { header: 'X-Tenant' }
    const { running, reload, config } = await start({ to: { canary: 10 }, by })
    const other = await startGateway(config({ to: { canary: 10 }, by }))
    const inCanary = async (gateway: typeof running) => {
      const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => ask(gateway, { 'x-tenant': `t${i}` })))
      return new Set(answers.flatMap(({ from }, i) => (from === 'canary' ? [i] : [])))
    }
    const before = await inCanary(running)
    expect(await inCanary(other)).toEqual(before)
    await reload({ to: { canary: 20 }, by })
    const after = await inCanary(running)
    await reload({ to: { stable: 80, canary: 20 }, by })
    expect(await inCanary(running)).toEqual(after)
    expect([...after]).toEqual(expect.arrayContaining([...before]))
    expect(after.size).toBeGreaterThan(before.size)
    expectShare((await count(running, 400, () => ({}))).canary, 400, 0.2)
  })
})

describe('cookie', () => {
  test('keeps a client where it is, also across a reload', async () => {
    const { running, reload } = await start({ to: { canary: 50 }, cookie: {} })
    const clients = await Promise.all(Array.from({ length: 40 }, () => ask(running)))
    expect(new Set(clients.map(({ from }) => from))).toEqual(new Set(['stable', 'canary']))
    for (const { from, cookie } of clients)
      expect(await ask(running, { cookie })).toMatchObject({ from, field: undefined })
    await reload({ to: { canary: 50, beta: 0 }, cookie: {} })
    for (const { from, cookie } of clients)
      expect(await ask(running, { cookie })).toMatchObject({ from, field: undefined })
    // Taken back: nobody is left there.
    await reload({ to: { canary: 0 }, cookie: {} })
    for (const { cookie } of clients) expect((await ask(running, { cookie })).from).toBe('stable')
  })

  test('says what its options say', async () => {
    const { running } = await start({ to: { canary: 50 }, cookie: {} }, () => 0.0007)
    expect((await ask(running)).field).toBe('GATEWAY_PLACE=7; Path=/; HttpOnly; SameSite=Lax')
    const cookie = { name: '__Host-p', ttl: '1h', sameSite: 'None', secure: true }
    const other = await start({ to: { canary: 50 }, cookie }, () => 0.0007)
    expect((await ask(other.running)).field).toBe('__Host-p=7; Path=/; Max-Age=3600; HttpOnly; SameSite=None; Secure')
    const secure = await running.gateway.fetch('https://gateway.test/')
    expect(secure.headers.getSetCookie()[0]).toContain('; Secure')
  })

  test.each(['', 'x', '-1', '10000', '1e3', '0.5', 'canary'])('a place %j is none: another is given', async place => {
    const { running } = await start({ to: { canary: 50 }, cookie: {} })
    expect((await ask(running, { cookie: `GATEWAY_PLACE=${place}` })).cookie).toMatch(/^GATEWAY_PLACE=\d{1,4}$/)
  })

  test('is not set by a request that a condition decided', async () => {
    const when = [{ header: 'X-Canary', service: 'canary' }]
    const { running } = await start({ to: { beta: 50 }, when, cookie: {} })
    expect(await ask(running, { 'x-canary': '1' })).toMatchObject({ from: 'canary', field: undefined })
  })
})

describe('when', () => {
  test('the first condition that holds decides, before shares', async () => {
    const { running } = await start({
      to: { beta: 100 },
      when: [
        { header: 'X-Version', equals: 'stable', service: 'stable' },
        { cookie: 'preview', matches: /^(on|1)$/, service: 'canary' },
        { query: 'canary', service: 'canary' },
      ],
    })
    const from = async (...request: [Record<string, string>, string?]) => (await ask(running, ...request)).from
    expect(await from({ 'x-version': 'stable', cookie: 'preview=on' })).toBe('stable')
    expect(await from({ 'x-version': 'other', cookie: 'a=b; preview=on' })).toBe('canary')
    expect(await from({ cookie: 'preview=once' })).toBe('beta')
    expect(await from({}, '/?canary=0')).toBe('canary')
    expect(await from({}, '/?canary=')).toBe('beta')
  })

  test('alone it leaves all else where it is', async () => {
    const { running } = await start({ when: [{ header: 'X-Canary', service: 'canary' }] })
    expect((await ask(running, { 'x-canary': 'yes' })).from).toBe('canary')
    expect((await ask(running)).from).toBe('stable')
  })
})

test.each<[string, object, RegExp]>([
  ['split.to', {}, /to is missing|is missing: say by to or when/],
  ['split.to', { to: { canary: 60, beta: 41 } }, /adds up to 101%/],
  ['split', { to: { stable: 90, canary: 5 } }, /adds up to 95%: make it 100, or leave out "stable"/],
  ['split.to.canary', { to: { canary: 0.001 } }, /two decimals/],
  ['split.to.canry', { to: { canry: 5 } }, /there is no service "canry".*did you mean "canary"/],
  ['split.when.0.service', { when: [{ header: 'X', service: 'canry' }] }, /there is no service "canry"/],
  ['split.when.0', { when: [{ service: 'canary' }] }, /one of header, cookie and query/],
  ['split.when.0', { when: [{ header: 'X', equals: 'a', matches: /a/, service: 'canary' }] }, /choose one/],
  ['split.when.0.matches', { when: [{ header: 'X', matches: /a/g, service: 'canary' }] }, /flags g and y/],
  ['split.cookie', { to: { canary: 5 }, by: 'ip', cookie: {} }, /cannot go with by/],
  ['split.cookie', { when: [{ header: 'X', service: 'canary' }], cookie: {} }, /of no use without to/],
  ['split.cookie.secure', { to: { canary: 5 }, cookie: { sameSite: 'None' } }, /must be true/],
  ['split.cookie.name', { to: { canary: 5 }, cookie: { name: 'a;b' } }, /must be a name/],
])('%s of %j is refused', async (path, options, message) => {
  const targets = { stable: 'http://a.test', canary: 'http://b.test', beta: 'http://c.test' }
  const started = startGateway(configOf([split()], targets, { split: options }))
  const problems = await started.then(
    () => expect.fail('it was taken'),
    (error: { problems: readonly { path: readonly unknown[]; message: string; hint?: string }[] }) => error.problems,
  )
  expect(problems.map(({ path }) => path.join('.'))).toContain(`routes.all.${path}`)
  expect(problems.map(({ message, hint }) => `${message} ${hint}`).join('\n')).toMatch(message)
})

test('a route that goes nowhere has nothing to split', async () => {
  const config = { plugins: [split()], services: { a: { targets: ['http://a.test'] } } }
  const routes = { all: { match: 'ANY /*', reply: { status: 200 }, split: { to: { a: 5 } } } }
  await expect(startGateway({ ...config, routes })).rejects.toThrow(/there is none to split/)
})

test('its services are those of the config', async () => {
  const config = defineConfig({
    plugins: [split()],
    services: { stable: { targets: ['http://a.test'] }, canary: { targets: ['http://b.test'] } },
    routes: {
      ok: {
        match: 'GET /',
        service: 'stable',
        split: { to: { canary: 5 }, when: [{ header: 'X', service: 'canary' }] },
      },
      // @ts-expect-error there is no such service
      no: { match: 'GET /a', service: 'stable', split: { to: { canry: 5 } } },
      // @ts-expect-error nor this one
      neither: { match: 'GET /b', service: 'stable', split: { when: [{ header: 'X', service: 'canry' }] } },
    },
  })
  await expect(createGateway(config)).rejects.toThrow(
    /there is no service "canry".*routes\.no\..*there is no service "canry".*routes\.neither\./s,
  )
})
