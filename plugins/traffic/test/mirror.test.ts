import { once } from 'node:events'
import { pluginSuite } from '@gateway/testing'
import { mirror, split } from '@gateway/traffic'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { type LooseConfig, type RunningGateway, startGateway } from '../../../test/support/gateway.ts'
import { lineValues } from '../../../test/support/message.ts'
import { seeded } from '../../../test/support/seeded.ts'
import { rawUpstream, refusingOrigin, startUpstream } from '../../../test/support/upstream.ts'
import { connect, exchange, requestText } from '../../../test/support/wire.ts'
import { ask, backend, configOf } from './support.ts'

for (const { name, run } of pluginSuite(() => mirror(), { alwaysOn: false })) test(name, run)

/** A gateway whose requests go to `real` and their copies to `shadow`. */
async function start(
  options: object = {},
  shadow?: { readonly origin: string },
  { random, ...route }: { readonly random?: () => number } & LooseConfig = {},
) {
  const real = await backend('real')
  const copies = await backend('shadow')
  const targets = { real: real.origin, shadow: (shadow ?? copies).origin }
  const plugins = [split(), mirror(random && { random })]
  const config = configOf(plugins, targets, { mirror: { to: 'shadow', ...options }, ...route })
  return { running: await startGateway(config), config, real, copies }
}

/** What was lost, as the log says once the generation has gone. */
async function lost({ gateway, log }: RunningGateway): Promise<unknown> {
  await gateway.close()
  return log.all.find(({ message }) => message === 'requests were not mirrored')?.fields
}

describe('a copy', () => {
  test('is what goes upstream, marked, with the Host of its own target', async () => {
    const route = { match: 'ANY /api/*', stripPrefix: '/api', requestHeaders: { set: { 'X-Set': 'by route' } } }
    const { running, real, copies } = await start({ withhold: ['Authorization'] }, undefined, route)
    const answer = await exchange(running.port, 'GET /api/a?b=c', ['Authorization: secret', 'X-Mirrored: by client'])
    expect(answer.body).toBe('real')
    await eventually(() => expect(copies.requests).toHaveLength(1))
    expect(copies.only.start).toBe('GET /a?b=c HTTP/1.1')
    const of = (name: string) => [real, copies].map(({ only }) => lineValues(only.lines, name))
    expect(of('x-mirrored')).toEqual([[], ['true']])
    expect(of('authorization')).toEqual([['secret'], []])
    expect(of('x-set')).toEqual([['by route'], ['by route']])
    expect(of('host')).toEqual([[new URL(real.origin).host], [new URL(copies.origin).host]])
    expect(of('x-forwarded-host')).toEqual([['gateway.test'], ['gateway.test']])
    expect(of('x-request-id')[0]).toEqual(of('x-request-id')[1])
  })

  test('has the body, and the request keeps its length', async () => {
    const { running, real, copies } = await start()
    expect((await exchange(running.port, 'POST /a', [], 'x'.repeat(5_000))).body).toBe('real')
    await eventually(() => expect(copies.requests).toHaveLength(1))
    for (const { only } of [real, copies]) {
      expect(lineValues(only.lines, 'content-length')).toEqual(['5000'])
      expect(lineValues(only.lines, 'transfer-encoding')).toEqual([])
      expect(only.body).toBe('x'.repeat(5_000))
    }
  })

  test('has the body of a request in chunks', async () => {
    const { running, copies } = await start()
    await exchange(running.port, 'POST /a', ['Transfer-Encoding: chunked'], '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n')
    await eventually(() => expect(copies.requests).toHaveLength(1))
    expect(copies.only.body).toBe('abcde')
  })

  test('goes over connections that are kept', async () => {
    const { running, copies } = await start()
    for (let i = 0; i < 3; i++) {
      await ask(running)
      await eventually(() => expect(running.gateway.generations[0]?.inFlight).toBe(0))
    }
    expect([copies.requests.length, copies.wires.length]).toEqual([3, 1])
  })
})

describe('which requests', () => {
  test('as many percent of them', async () => {
    const { running, copies } = await start({ percent: 10 }, undefined, { random: seeded(3) })
    const random = seeded(3)
    const expected = Array.from({ length: 300 }, random).filter(drawn => drawn < 0.1).length
    for (let i = 0; i < 300; i++) await ask(running)
    await eventually(() => expect(copies.requests).toHaveLength(expected))
    expect(expected).toBeGreaterThan(15)
  })

  test('those of the methods that are named', async () => {
    const { running, copies } = await start({ methods: ['HEAD', 'POST'] })
    for (const method of ['GET', 'POST', 'DELETE', 'HEAD']) await running.gateway.fetch('http://x/', { method })
    await eventually(() => expect(copies.requests).toHaveLength(2))
    expect(copies.requests.map(({ start }) => start.split(' ')[0]).toSorted()).toEqual(['HEAD', 'POST'])
  })

  test('none that went there anyway', async () => {
    const { running, copies } = await start({}, undefined, { split: { to: { shadow: 100 } } })
    expect((await ask(running)).from).toBe('shadow')
    await running.gateway.close()
    expect(copies.requests).toHaveLength(1)
  })

  test('none that a plugin or the route itself answers', async () => {
    const { running, copies } = await start({}, undefined, { onRequest: () => ({ status: 403 }) })
    expect((await ask(running)).status).toBe(403)
    await running.gateway.close()
    expect(copies.requests).toEqual([])
  })

  test.each([
    ['announced', 'Content-Length: 200000', 'x'.repeat(200_000)],
    ['in chunks', 'Transfer-Encoding: chunked', `30d40\r\n${'x'.repeat(200_000)}\r\n0\r\n\r\n`],
  ])('none with a larger body, %s, which the request sends whole', async (_how, framing, body) => {
    const { running, real, copies } = await start({ maxBody: '100kb' })
    expect((await exchange(running.port, 'PUT /a', [framing], body)).body).toBe('real')
    expect(real.only.body).toHaveLength(200_000)
    expect(await lost(running)).toMatchObject({ route: 'all', service: 'shadow', tooLarge: 1, failed: 0, dropped: 0 })
    expect(copies.requests).toEqual([])
  })

  test('none whose client leaves within the body, and its place is free', async () => {
    const { running, real, copies } = await start({ maxInFlight: 1 })
    const wire = await connect(running.port)
    wire.send(requestText('POST /a', ['Content-Length: 10'], 'abc'))
    await (await real.connection(1)).through('abc')
    wire.socket.destroy()
    await eventually(() => expect(running.gateway.generations[0]?.inFlight).toBe(0))
    await ask(running)
    await eventually(() => expect(copies.requests).toHaveLength(1))
    expect(copies.only.start).toBe('GET / HTTP/1.1')
  })
})

describe('the other service does not matter', () => {
  test('when it is down', async () => {
    const { running } = await start({}, { origin: await refusingOrigin() })
    for (let i = 0; i < 5; i++) expect(await ask(running)).toMatchObject({ status: 200, from: 'real' })
    await eventually(() => expect(running.gateway.generations[0]?.inFlight).toBe(0))
    expect(await lost(running)).toMatchObject({ failed: 5 })
    expect(running.log.all.filter(({ level }) => level === 'error')).toEqual([])
  })

  test('when it breaks HTTP, or answers without end', async () => {
    const garbage = await rawUpstream(async (wire, number) => {
      await wire.request()
      if (number === 1) return void wire.socket.end('no HTTP\r\n\r\n')
      wire.send('HTTP/1.1 200 Any\r\nTransfer-Encoding: chunked\r\n\r\n')
      while (wire.socket.writable) {
        const more = wire.socket.write(`10000\r\n${'x'.repeat(65_536)}\r\n`)
        if (!more) await Promise.race([once(wire.socket, 'drain'), wire.gone()])
      }
    })
    const { running } = await start({}, garbage)
    expect((await ask(running)).from).toBe('real')
    await eventually(() => expect(running.gateway.generations[0]?.inFlight).toBe(0))
    expect((await ask(running)).from).toBe('real')
    // Cut off after a while, not read for ever.
    await (await garbage.connection(2)).gone()
  })

  test('when it hangs: so many copies wait for it, and the others are dropped', async () => {
    const silent = await rawUpstream(() => {})
    const { running } = await start({ maxInFlight: 2, timeout: '1h' }, silent)
    for (let i = 0; i < 10; i++) expect((await ask(running)).from).toBe('real')
    expect((await exchange(running.port, 'POST /', [], 'body')).body).toBe('real')
    for (const number of [1, 2]) (await silent.connection(number)).socket.destroy()
    await eventually(() => expect(running.gateway.generations[0]?.inFlight).toBe(0))
    expect(silent.wires).toHaveLength(2)
    expect(await lost(running)).toMatchObject({ dropped: 9, failed: 2 })
  })

  test('when it hangs: the time of a copy is limited', async () => {
    const silent = await rawUpstream(() => {})
    const { running } = await start({ timeout: '20ms' }, silent)
    expect((await ask(running)).from).toBe('real')
    await eventually(() => expect(running.gateway.generations[0]?.inFlight).toBe(0))
    expect(await lost(running)).toMatchObject({ failed: 1 })
  })

  test('when it hangs and the gateway closes', async () => {
    const silent = await rawUpstream(() => {})
    const { running } = await start({ timeout: '1h' }, silent, {})
    await ask(running)
    const wire = await silent.connection(1)
    await running.gateway.close()
    await wire.gone()
  })

  test('when it answers late, a reload lets copies end', async () => {
    const answer = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    let ended = ''
    const late = await startUpstream(async (_request, response) => {
      response.on('close', () => {
        ended = response.writableFinished ? 'whole' : 'cut'
      })
      asked.resolve()
      await answer.promise
      response.end('late')
    })
    const { running, config } = await start({ timeout: '1h' }, late)
    await ask(running)
    await asked.promise
    await running.gateway.reload({ ...config, listen: { port: 0, host: '127.0.0.1' }, drainTimeout: '20s' })
    expect(running.gateway.generations).toHaveLength(2)
    answer.resolve()
    await eventually(() => expect(running.gateway.generations).toHaveLength(1))
    expect(ended).toBe('whole')
  })
})

test.each([
  ['mirror.to', { to: 'shdow' }, /there is no service "shdow"/],
  ['mirror', { to: 'real' }, /"real" gets the requests themselves/],
  ['mirror.maxBody', { to: 'shadow', maxBody: '17mb' }, /at most 16mb/],
  ['mirror.withhold.0', { to: 'shadow', withhold: ['a b'] }, /name of a header field/],
])('%s of %j is refused', async (path, options, message) => {
  const targets = { real: 'http://a.test', shadow: 'http://b.test' }
  const started = startGateway(configOf([mirror()], targets, { mirror: options }))
  const problems = await started.then(
    () => expect.fail('it was taken'),
    (error: { problems: readonly { path: readonly unknown[]; message: string }[] }) => error.problems,
  )
  expect(problems.map(({ path, message }) => [path.join('.'), message])).toContainEqual([
    `routes.all.${path}`,
    expect.stringMatching(message),
  ])
})
