import { pluginSuite } from '@gateway/testing'
import { faults } from '@gateway/traffic'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { startGateway } from '../../../test/support/gateway.ts'
import { seeded } from '../../../test/support/seeded.ts'
import { connect, exchange, rawRequest, requestText } from '../../../test/support/wire.ts'
import { ask, backend, configOf } from './support.ts'

for (const { name, run } of pluginSuite(() => faults({ enabled: true, random: () => 0.5 }), {
  routeOptions: { abort: { status: 503, percent: 0 } },
}))
  test(name, run)

async function start(options: object, plugin: { readonly enabled?: boolean; readonly random?: () => number } = {}) {
  const real = await backend('real')
  const running = await startGateway(
    configOf([faults({ enabled: true, ...plugin })], { real: real.origin }, { faults: options }),
  )
  return { running, real }
}

describe('abort', () => {
  test('answers as many percent of the requests by a status, and the log tells that it is on', async () => {
    const { running, real } = await start({ abort: { status: 503, percent: 20 } }, { random: seeded(5) })
    const random = seeded(5)
    const expected = Array.from({ length: 200 }, () => (random() < 0.2 ? 503 : 200))
    const answers: number[] = []
    for (let i = 0; i < 200; i++) answers.push((await ask(running)).status)
    expect(answers).toEqual(expected)
    expect(real.requests).toHaveLength(expected.filter(status => status === 200).length)
    expect(running.log.all).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        message: 'requests fail on purpose',
        fields: expect.objectContaining({ route: 'all' }),
      }),
    )
  })

  test('says that it was on purpose', async () => {
    const { running } = await start({ abort: { status: 429 } })
    const { status, body } = await exchange(running.port, 'GET /')
    expect([status, JSON.parse(body)]).toEqual([429, expect.objectContaining({ code: 'FAULT_INJECTED', route: 'all' })])
  })

  test('cuts the connection, without an answer', async () => {
    const { running, real } = await start({ abort: { cut: true } })
    expect(await rawRequest(running.port, requestText('GET /'))).toBe('')
    expect(real.requests).toEqual([])
    expect(running.log.access.map(({ fields }) => [fields.status, fields.code])).toEqual([[0, 'FAULT_INJECTED']])
    expect(running.log.all.filter(({ level }) => level === 'error')).toEqual([])
  })
})

describe('delay', () => {
  test.each(['30ms', ['30ms', '60ms']])('%j holds a request up', async time => {
    const { running } = await start({ delay: { for: time } })
    const before = performance.now()
    expect((await ask(running)).from).toBe('real')
    // Timers may be a millisecond early.
    expect(performance.now() - before).toBeGreaterThan(28)
  })

  test('comes before an abort', async () => {
    const { running } = await start({ delay: { for: '5ms' }, abort: { status: 500 } })
    expect((await ask(running)).status).toBe(500)
  })

  test('ends when the client leaves, and its timer with it', async () => {
    const { running, real } = await start({ delay: { for: '1h' } })
    const timers = () => process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length
    const before = timers()
    const wires = await Promise.all(Array.from({ length: 30 }, () => connect(running.port)))
    for (const wire of wires) wire.send(requestText('GET /'))
    await eventually(() => expect(running.gateway.generations[0]?.inFlight).toBe(30))
    expect(timers()).toBeGreaterThan(before + 20)
    for (const { socket } of wires) socket.destroy()
    await eventually(() => expect(running.gateway.generations[0]?.inFlight).toBe(0))
    // Others may have come meanwhile, but not as many.
    await eventually(() => expect(timers()).toBeLessThan(before + 20))
    expect(real.requests).toEqual([])
    expect(running.log.all.filter(({ level }) => level === 'error')).toEqual([])
  })

  test("ends at the route's total time", async () => {
    const real = await backend('real')
    const route = { faults: { delay: { for: '1h' } }, timeout: { total: '50ms' } }
    const running = await startGateway(configOf([faults({ enabled: true })], { real: real.origin }, route))
    expect((await ask(running)).status).toBe(504)
  })
})

test('only requests for which all conditions hold', async () => {
  const when = [{ header: 'X-Chaos', equals: 'on' }, { cookie: 'team' }]
  const { running } = await start({ abort: { status: 503 }, when })
  expect((await ask(running, { 'x-chaos': 'on', cookie: 'team=a' })).status).toBe(503)
  expect((await ask(running, { 'x-chaos': 'on' })).status).toBe(200)
  expect((await ask(running, { 'x-chaos': 'off', cookie: 'team=a' })).status).toBe(200)
})

test('nothing, where it is not enabled, and that has to be said', async () => {
  const { running } = await start({ abort: { status: 503 } }, { enabled: false })
  expect((await ask(running)).from).toBe('real')
  const { route } = running.gateway.explain({ method: 'GET', url: '/' })
  expect(route?.plugins).toMatchObject([{ name: 'faults', hooks: [] }])
  const unsaid = configOf([faults({} as never)], { real: 'http://a.test' }, { faults: { abort: { status: 503 } } })
  await expect(startGateway(unsaid)).rejects.toThrow(/enabled/)
})

test.each([
  [{}, /needs a delay or an abort/],
  [{ abort: {} }, /either a status or cut/],
  [{ abort: { status: 503, cut: true } }, /either a status or cut/],
  [{ abort: { status: 200 } }, /400/],
  [{ delay: { for: ['2s', '1s'] } }, /shorter time first/],
  [{ delay: { for: '2h' } }, /between 1ms and 1h/],
])('%j is refused', async (options, message) => {
  await expect(start(options)).rejects.toThrow(message)
})
