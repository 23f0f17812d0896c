import { defineExtension, definePlugin, type TargetSpec } from '@gateway/core'
import { circuitBreaker } from '@gateway/resilience'
import { expectNoLeak, pluginSuite, reset, type TestGateway, testGateway } from '@gateway/testing'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { startGateway } from '../../../test/support/gateway.ts'
import { rawUpstream } from '../../../test/support/upstream.ts'
import { connect, requestText, responseText } from '../../../test/support/wire.ts'

for (const { name, run } of pluginSuite(() => circuitBreaker(), { routeOptions: {} })) test(name, run)

const quick = { failures: 2, errorRate: false, openFor: '10s', closeAfter: 1 } as const

function configOf(targets: readonly unknown[], given: { service?: object; route?: object }, more: object = {}) {
  const named = (options: object | undefined) => options && { circuitBreaker: options }
  return {
    plugins: [circuitBreaker()],
    services: { shop: { targets, ...named(given.service) } },
    routes: { all: { match: 'ANY /*', service: 'shop', ...named(given.route) } },
    ...more,
  }
}

async function ask(gateway: TestGateway, init?: RequestInit) {
  const response = await gateway.fetch('/', init)
  const retryAfter = response.headers.get('retry-after')
  const text = await response.text()
  const { code = text } = text.startsWith('{') ? (JSON.parse(text) as { code: string }) : {}
  return [response.status, code, ...(retryAfter === null ? [] : [retryAfter])].join(' ')
}

const events = ({ log }: TestGateway) =>
  log.filter(({ message }) => message.startsWith('the circuit')).map(({ message }) => message)

/** Targets a and b, which answer with what `says` has for them, and a clock. */
async function openTargets(given: object = {}, names = ['a', 'b'], more: { route?: object } = {}) {
  const says: Record<string, number | (() => Response | Promise<Response>)> = { a: 200, b: 200 }
  const targets = names.map(name => `http://${name}.test`)
  const answer = ({ url }: Request) => {
    const name = new URL(url).hostname.slice(0, 1)
    const said = says[name]
    return typeof said === 'function' ? said() : new Response(name, { status: said ?? 200 })
  }
  const config = configOf(targets, { service: { ...quick, ...given }, ...more })
  const gateway = await testGateway(config, { upstreams: { shop: answer } })
  const round = async (count: number) => {
    const answers: string[] = []
    for (let i = 0; i < count; i++) answers.push(await ask(gateway))
    return answers.toSorted()
  }
  return { gateway, says, round, config }
}

describe('targets', () => {
  test('one that fails gets nothing, then a trial, then its share again', async () => {
    const { gateway, says, round } = await openTargets()
    await using _ = gateway
    says.a = 500
    expect(await round(6)).toEqual(['200 b', '200 b', '200 b', '200 b', '500 a', '500 a'])
    expect(events(gateway)).toEqual(['the circuit of a target opened'])
    says.a = 200
    await gateway.clock.advance('9999ms')
    expect(await round(2)).toEqual(['200 b', '200 b'])
    await gateway.clock.advance(1)
    expect(await round(2)).toContain('200 a')
    expect(await round(4)).toEqual(['200 a', '200 a', '200 b', '200 b'])
    expect(events(gateway).slice(1)).toEqual([
      'the circuit of a target is half open',
      'the circuit of a target is closed again',
    ])
  })

  test('a trial that fails opens it again, for longer', async () => {
    const { gateway, says, round } = await openTargets()
    await using _ = gateway
    says.a = reset
    expect((await round(4)).slice(2)).toEqual(['502 GATEWAY_UPSTREAM_CLOSED', '502 GATEWAY_UPSTREAM_CLOSED'])
    await gateway.clock.advance('10s')
    expect((await round(4)).slice(3)).toEqual(['502 GATEWAY_UPSTREAM_CLOSED'])
    await gateway.clock.advance('19999ms')
    expect(await round(2)).toEqual(['200 b', '200 b'])
    await gateway.clock.advance(1)
    expect((await round(2)).slice(1)).toEqual(['502 GATEWAY_UPSTREAM_CLOSED'])
    expect(gateway.log.filter(({ level }) => level === 'warn').map(({ fields }) => fields.ms)).toEqual([
      10_000, 20_000, 40_000,
    ])
  })

  test('when all are open clients are told at once when to come back, and no target is asked', async () => {
    const { gateway, says, round } = await openTargets({}, ['a'])
    await using _ = gateway
    says.a = 500
    await round(2)
    says.a = () => expect.fail('it was asked')
    expect(await ask(gateway)).toBe('503 GATEWAY_NO_HEALTHY_TARGET 10')
  })

  test('one trial at a time', async () => {
    const { gateway, says, round } = await openTargets({}, ['a'])
    await using _ = gateway
    says.a = 500
    await round(2)
    await gateway.clock.advance('10s')
    const answer = Promise.withResolvers<Response>()
    says.a = () => answer.promise
    const trial = ask(gateway)
    await gateway.clock.advance(0)
    for (let i = 0; i < 2; i++) expect(await ask(gateway)).toMatch(/^503 GATEWAY_NO_HEALTHY_TARGET/)
    answer.resolve(new Response('fine'))
    expect(await trial).toBe('200 fine')
    says.a = 200
    expect(await round(3)).toEqual(['200 a', '200 a', '200 a'])
  })

  test.each([{}, { route: {} }])('a trial whose client left frees its place: %o', async more => {
    const { gateway, says, round } = await openTargets({}, ['a'], more)
    await using _ = gateway
    says.a = 500
    await round(2)
    await gateway.clock.advance('10s')
    says.a = () => new Promise(() => {})
    const client = new AbortController()
    const trial = ask(gateway, { signal: client.signal })
    await gateway.clock.advance(0)
    expect(await ask(gateway)).toMatch(/^503/)
    client.abort()
    await expect(trial).rejects.toThrow()
    says.a = 200
    expect(await ask(gateway)).toBe('200 a')
  })

  test('answers that are slow, measured to their head', async () => {
    const { gateway, says } = await openTargets({ failures: false, slowerThan: '1s', minRequests: 2 }, ['a'])
    await using _ = gateway
    const slowly = async (ms: number) => {
      const answer = Promise.withResolvers<Response>()
      says.a = () => answer.promise
      const pending = ask(gateway)
      await gateway.clock.advance(ms)
      answer.resolve(new Response('slow'))
      return pending
    }
    expect([await slowly(1_001), await slowly(1_000), await ask(gateway)].map(text => text.slice(0, 3))).toEqual([
      '200',
      '200',
      '503',
    ])
  })

  test('stays open over reloads, also for a generation that has other options', async () => {
    const { gateway, says, round, config } = await openTargets()
    await using _ = gateway
    says.a = 500
    await round(4)
    await gateway.reload({ ...config, drainTimeout: '1s' })
    expect(await round(2)).toEqual(['200 b', '200 b'])
    await gateway.reload(configOf(['http://a.test', 'http://b.test'], { service: { ...quick, failures: 3 } }))
    expect(await round(2)).toEqual(['200 b', '200 b'])
    says.a = 200
    await gateway.clock.advance('10s')
    expect((await round(4)).slice(0, 2)).toEqual(['200 a', '200 a'])
    expect(events(gateway)).toEqual([
      'the circuit of a target opened',
      'the circuit of a target is half open',
      'the circuit of a target is closed again',
    ])
    // A config that does not say so any more.
    says.a = 500
    await round(4)
    await gateway.reload(configOf(['http://a.test', 'http://b.test'], {}))
    await eventually(() => expect(gateway.generations).toHaveLength(1))
    expect((await round(2))[1]).toBe('500 a')
  })

  test('what a request of the generation before finds out holds for the one that serves', async () => {
    const { gateway, says, round, config } = await openTargets({ failures: 1 })
    await using _ = gateway
    const answer = Promise.withResolvers<Response>()
    says.a = says.b = () => answer.promise
    const pending = ask(gateway)
    await gateway.clock.advance(0)
    await gateway.reload({ ...config, drainTimeout: '1m' })
    answer.resolve(new Response('', { status: 500 }))
    expect(await pending).toBe('500 ')
    await eventually(() => expect(gateway.generations).toHaveLength(1))
    says.a = says.b = 200
    expect(new Set(await round(4)).size).toBe(1)
  })
})

/** Targets that a test finds and loses. */
function finding() {
  const found: { update: (targets: readonly TargetSpec[]) => void } = { update: () => {} }
  const discovery = defineExtension({
    point: 'discovery',
    name: 'found',
    create: () => ({
      watch(update) {
        found.update = update
        update([{ url: 'http://a.test' }])
      },
    }),
  })
  return { plugin: definePlugin({ name: 'finding', extensions: [discovery] }), found }
}

describe('targets that come and go', () => {
  test('one that was lost while it was open, and found again, is held out as soon as it is seen', async () => {
    const { plugin, found } = finding()
    const config = {
      plugins: [circuitBreaker(), plugin()],
      services: { shop: { discover: 'found', circuitBreaker: quick } },
      routes: { all: { match: 'ANY /*', service: 'shop' } },
    }
    await using gateway = await testGateway(config, { upstreams: { shop: () => new Response('', { status: 500 }) } })
    for (let i = 0; i < 2; i++) expect(await ask(gateway)).toBe('500 ')
    found.update([{ url: 'http://b.test' }])
    found.update([{ url: 'http://a.test' }])
    expect(await ask(gateway)).toBe('500 ')
    expect(await ask(gateway)).toMatch(/^503 GATEWAY_NO_HEALTHY_TARGET/)
    await gateway.clock.advance('10s')
    expect(await ask(gateway)).toBe('500 ')
  })
})

test('what the gateway itself or a plugin did wrong shows nothing of a target or a route', async () => {
  const config = configOf(['http://a.test'], { service: { ...quick, failures: 1 }, route: { ...quick, failures: 1 } })
  const says: { onRequest?: () => unknown; onRequestBody?: () => unknown } = {}
  const hooks = { onRequest: () => says.onRequest?.(), onRequestBody: () => says.onRequestBody?.() }
  const routes = { all: { ...config.routes.all, ...hooks } }
  const answer = async (request: Request) => new Response(`fine${await request.text()}`)
  await using gateway = await testGateway({ ...config, routes }, { upstreams: { shop: answer } })
  const boom = () => {
    throw new Error('boom')
  }
  says.onRequest = () => ({ status: 500, body: 'own' })
  expect(await ask(gateway)).toBe('500 own')
  says.onRequest = boom
  expect(await ask(gateway)).toBe('500 GATEWAY_PLUGIN_FAILED')
  delete says.onRequest
  says.onRequestBody = () => ({ push: boom })
  expect(await ask(gateway, { method: 'POST', body: 'x' })).toBe('500 GATEWAY_PLUGIN_FAILED')
  expect(await ask(gateway)).toBe('200 fine')
})

test('nothing of it is left behind, however often it is reloaded or when it is closed', async () => {
  const { gateway, says, round } = await openTargets({}, ['a', 'b'], { route: { ...quick, failures: 100 } })
  says.a = 500
  await round(4)
  await expectNoLeak(gateway, { reloads: 30, between: () => round(2).then(() => {}) })
  await gateway.close()
  await gateway.clock.advance('1h')
  expect(events(gateway)).toEqual(['the circuit of a target opened'])
})

describe('a route', () => {
  async function openRoute(given: object = {}) {
    const says: { answer: number | (() => Response | Promise<Response>) } = { answer: 200 }
    const answer = () =>
      typeof says.answer === 'number' ? new Response('from upstream', { status: says.answer }) : says.answer()
    const config = configOf(['http://a.test', 'http://b.test'], { route: { ...quick, ...given } })
    const gateway = await testGateway(config, { upstreams: { shop: answer } })
    return { gateway, says, config }
  }

  test('is answered by 503 while open, and tried again in time', async () => {
    const { gateway, says } = await openRoute()
    await using _ = gateway
    says.answer = 503
    for (let i = 0; i < 2; i++) expect(await ask(gateway)).toBe('503 from upstream')
    says.answer = 200
    await gateway.clock.advance('1001ms')
    expect(await ask(gateway)).toBe('503 CIRCUIT_OPEN 9')
    expect(gateway.requests('shop')).toHaveLength(2)
    await gateway.clock.advance('8999ms')
    expect(await ask(gateway)).toBe('200 from upstream')
    expect(events(gateway)).toEqual([
      'the circuit of a route opened',
      'the circuit of a route is half open',
      'the circuit of a route is closed again',
    ])
  })

  test('gives another answer where it says so', async () => {
    const { gateway, says } = await openRoute({ fallback: { headers: { 'X-Stale': '1' }, body: 'later' } })
    await using _ = gateway
    says.answer = 500
    for (let i = 0; i < 2; i++) await ask(gateway)
    const response = await gateway.fetch('/')
    expect([response.status, response.headers.get('x-stale'), await response.text()]).toEqual([200, '1', 'later'])
  })

  test('counts what its clients get: no answer, and which statuses, is a matter of options', async () => {
    const { gateway, says } = await openRoute({ failureStatus: [429, '5xx'] })
    await using _ = gateway
    for (const answer of [429, 404, 501, reset]) {
      says.answer = answer
      await ask(gateway)
    }
    expect(await ask(gateway)).toMatch(/^503 CIRCUIT_OPEN/)
  })

  test('by default 404, 501 and 505 are no failures', async () => {
    const { gateway, says } = await openRoute()
    await using _ = gateway
    for (says.answer of [404, 501, 505, 429]) await ask(gateway)
    says.answer = 200
    expect(await ask(gateway)).toBe('200 from upstream')
  })

  test('an attempt that was made good by another is no failure', async () => {
    let asked = 0
    const config = configOf(['http://a.test', 'http://b.test'], { route: { ...quick, failures: 1 } })
    const { routes } = config
    const again = { all: { ...routes.all, onAttemptEnd: () => (asked % 2 === 1 ? 'retry' : undefined) } }
    const answer = () => new Response('', { status: ++asked % 2 === 1 ? 500 : 200 })
    await using gateway = await testGateway({ ...config, routes: again }, { upstreams: { shop: answer } })
    for (let i = 0; i < 5; i++) expect(await ask(gateway)).toBe('200 ')
  })

  test('a trial that is answered has shown enough, one whose client left nothing', async () => {
    const { gateway, says } = await openRoute()
    await using _ = gateway
    says.answer = 500
    for (let i = 0; i < 2; i++) await ask(gateway)
    await gateway.clock.advance('10s')
    says.answer = () => new Promise(() => {})
    const client = new AbortController()
    const trial = ask(gateway, { signal: client.signal })
    await gateway.clock.advance(0)
    expect(await ask(gateway)).toMatch(/^503 CIRCUIT_OPEN/)
    client.abort()
    await expect(trial).rejects.toThrow()
    // A body that does not end.
    says.answer = () => new Response(new ReadableStream())
    expect((await gateway.fetch('/')).status).toBe(200)
    says.answer = 200
    expect(await ask(gateway)).toBe('200 from upstream')
  })

  test('stays open over a reload', async () => {
    const { gateway, says, config } = await openRoute()
    await using _ = gateway
    says.answer = 500
    for (let i = 0; i < 2; i++) await ask(gateway)
    await gateway.reload({ ...config, drainTimeout: '1s' })
    expect(await ask(gateway)).toMatch(/^503 CIRCUIT_OPEN/)
  })

  test('and its targets, each for itself', async () => {
    const config = configOf(['http://a.test'], { service: { ...quick, failures: 1 }, route: quick })
    await using gateway = await testGateway(config, { upstreams: { shop: () => new Response('', { status: 500 }) } })
    expect(await ask(gateway)).toBe('500 ')
    expect(await ask(gateway)).toMatch(/^503 GATEWAY_NO_HEALTHY_TARGET/)
    expect(await ask(gateway)).toMatch(/^503 CIRCUIT_OPEN/)
    expect(events(gateway)).toEqual(['the circuit of a target opened', 'the circuit of a route opened'])
  })
})

test.each([
  [{ failures: 0 }, 'services.shop.circuitBreaker.failures'],
  [{ errorRate: 0 }, 'errorRate'],
  [{ openFor: '2m' }, 'must not be less than openFor (services.shop.circuitBreaker.maxOpenFor)'],
  [{ failures: false, errorRate: false }, 'nothing would open it: give failures, errorRate or slowerThan'],
  [{ fallback: { status: 200 } }, 'fallback'],
  [{ failureStatus: ['6xx'] }, 'failureStatus'],
])('refused: %o', async (service, message) => {
  await expect(testGateway(configOf(['http://a.test'], { service }))).rejects.toThrow(message)
})

test('over sockets: a target that drops connections is left alone, and a client that leaves a trial makes room for another', async () => {
  let mode: 'drop' | 'hang' | 'answer' = 'drop'
  let asked = 0
  const upstream = await rawUpstream(async wire => {
    for (;;) {
      await wire.request()
      asked++
      if (mode === 'drop') return void wire.socket.destroy()
      if (mode === 'answer') wire.send(responseText(200, [], 'hello'))
    }
  })
  const config = (options: object) => ({
    ...configOf([upstream.origin], { service: { ...quick, ...options } }),
    listen: { port: 0, host: '127.0.0.1' },
  })
  const { port, log, gateway } = await startGateway(config({ openFor: 10 }))
  const client = await connect(port)
  const send = async () => {
    client.send(requestText('POST /', [], 'x'))
    return (await client.response()).status
  }
  expect([await send(), await send()]).toEqual([502, 502])
  await eventually(() =>
    expect(log.all.map(({ message }) => message)).toContain('the circuit of a target is half open'),
  )
  mode = 'hang'
  await gateway.reload(config({ openFor: '1h', maxOpenFor: '1h' }))
  const leaving = await connect(port)
  leaving.send(requestText('GET /'))
  await eventually(() => expect(asked).toBe(3))
  expect(await send()).toBe(503)
  mode = 'answer'
  leaving.socket.destroy()
  await eventually(async () => expect(await send()).toBe(200))
})
