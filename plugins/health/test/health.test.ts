import { defineExtension, definePlugin, type ServiceView, type TargetSpec } from '@gateway/core'
import { health } from '@gateway/health'
import { pluginSuite } from '@gateway/testing'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { type LooseConfig, type RunningGateway, startGateway } from '../../../test/support/gateway.ts'
import { recordingBackend } from '../../../test/support/upstream.ts'
import { responseText } from '../../../test/support/wire.ts'
import { faultOf } from '../src/probes.ts'

for (const { name, run } of pluginSuite(() => health(), { routeOptions: { endpoint: 'live' } })) test(name, run)

/** A server whose answers a test changes: to probes, and to others. */
async function backend(letter: string) {
  const says = { probe: 200, request: 200, probes: 0 }
  const { origin } = await recordingBackend(({ target }) => {
    if (target !== '/healthz') return responseText(says.request, [], letter)
    says.probes++
    return responseText(says.probe, [], 'fine')
  })
  return { origin, says }
}

/** Lets a test see a service's targets, and how many generations have been cleaned up after. */
function window() {
  let view: ServiceView<unknown> | undefined
  let ended = 0
  const plugin = definePlugin({
    name: 'window',
    setup(host) {
      // The last of a generation, since what services asked for was opened later.
      host.defer(() => void ended++)
      return {
        onService(service) {
          view = service
        },
      }
    },
  })
  return { plugin, ended: () => ended, available: () => view?.targets.map(({ available }) => available) }
}

const quick = { path: '/healthz', interval: 20, unhealthyAfter: 2, healthyAfter: 2, passive: false }

function configOf(targets: readonly unknown[], options: object, plugins: readonly unknown[], more: LooseConfig = {}) {
  return {
    plugins: [health(), ...plugins],
    services: { shop: { targets, health: options } },
    routes: {
      all: { match: 'ANY /*', service: 'shop' },
      ready: { match: 'GET /ready', reply: { status: 200 }, health: { endpoint: 'ready' } },
      health: { match: 'GET /health', reply: { status: 200 }, health: { endpoint: 'health' } },
    },
    ...more,
  }
}

async function ask({ gateway }: RunningGateway, path = '/') {
  const response = await gateway.fetch(`http://gateway.test${path}`)
  return `${response.status} ${(await response.text()).trim()}`
}

/** What the gateway tells of its first target. */
const outOf = ({ gateway }: RunningGateway) => gateway.services[0]?.targets[0]?.out

describe('probes', () => {
  test('a target that fails them is out, and back when it passes them', async () => {
    const [a, b] = [await backend('a'), await backend('b')]
    const { plugin, available } = window()
    const running = await startGateway(configOf([a.origin, b.origin], quick, [plugin()]))
    a.says.probe = 500
    await eventually(() => expect(available()).toEqual([false, true]))
    for (let i = 0; i < 3; i++) expect(await ask(running)).toBe('200 b')
    expect(running.log.all.filter(({ message }) => message === 'a target is down')).toHaveLength(1)
    a.says.probe = 200
    await eventually(() => expect(available()).toEqual([true, true]))
  })

  test('one failure is none yet', async () => {
    const a = await backend('a')
    const { plugin, available } = window()
    await startGateway(configOf([a.origin], { ...quick, unhealthyAfter: 1_000 }, [plugin()]))
    a.says.probe = 500
    const { probes } = a.says
    await eventually(() => expect(a.says.probes).toBeGreaterThan(probes + 3))
    expect(available()).toEqual([true])
  })

  test('a target that cannot be reached, and one that does not answer in time', async () => {
    const silent = await recordingBackend(() => '')
    const { plugin, available } = window()
    const options = { ...quick, timeout: 20 }
    const running = await startGateway(configOf(['http://127.0.0.1:9', silent.origin], options, [plugin()]))
    await eventually(() => expect(available()).toEqual([false, false]))
    expect(await ask(running, '/x')).toContain('GATEWAY_NO_HEALTHY_TARGET')
  })

  test('to connect may be enough', async () => {
    const a = await backend('a')
    a.says.probe = 500
    const { plugin, available } = window()
    const { path: _, ...options } = { ...quick, tcp: true }
    await startGateway(configOf([a.origin, 'http://127.0.0.1:9', 'unix:/none.sock'], options, [plugin()]))
    await eventually(() => expect(available()).toEqual([true, false, false]))
    expect(a.says.probes).toBe(0)
  })

  test.each([
    [{ tcp: true, path: '/' }, 'cannot go with another: choose path, tcp or grpc (services.shop.health.tcp)'],
    [{ grpc: true }, `grpc needs protocol: 'http2' (services.shop.health)`],
    [{ grpc: 'a b' }, 'must be true, or the name of a gRPC service'],
    [{ tls: {} }, 'tls looks at certificates, and no target is https (services.shop.health)'],
    [{ tls: { expiresIn: '10m' } }, 'must lie between 1h and 365d'],
    [{ status: [200] }, 'is missing: status and body are those of its answer'],
    [{ passive: { ejectFor: '1h', maxEjectFor: '1m' } }, 'must not be less than ejectFor'],
  ])('refused: %o', async (options, message) => {
    await expect(startGateway(configOf(['http://a'], options, []))).rejects.toThrow(message)
  })

  test('what is down stays down over a reload', async () => {
    const [a, b] = [await backend('a'), await backend('b')]
    const { plugin, available, ended } = window()
    a.says.probe = 500
    const running = await startGateway(configOf([a.origin, b.origin], quick, [plugin()]))
    await eventually(() => expect(available()).toEqual([false, true]))
    const before = outOf(running)
    expect(before).toEqual({ since: expect.any(Number), reasons: ['its probes fail: it answered 500'] })
    const slow = { ...quick, interval: '1h' }
    await running.gateway.reload(configOf([{ url: a.origin, weight: 2 }, b.origin], slow, [plugin()]))
    expect(available()).toEqual([false, true])
    await eventually(() => expect(ended()).toBe(1))
    expect(available()).toEqual([false, true])
    expect(outOf(running)).toEqual(before)
  })

  test('what is down and is discovered anew is out again', async () => {
    const a = await backend('a')
    const { plugin, available } = window()
    a.says.probe = 500
    let find: (targets: readonly TargetSpec[]) => void = () => {}
    const watch = (found: typeof find) => {
      find = found
      found([{ url: a.origin }])
    }
    const byHand = defineExtension({ point: 'discovery', name: 'byHand', create: () => ({ watch }) })
    await startGateway({
      plugins: [health(), definePlugin({ name: 'finding', extensions: [byHand] })(), plugin()],
      services: { shop: { discover: 'byHand', health: quick } },
      routes: { all: { match: 'ANY /*', service: 'shop' } },
    })
    await eventually(() => expect(available()).toEqual([false]))
    find([])
    find([{ url: a.origin }])
    await eventually(() => expect(available()).toEqual([false]))
    a.says.probe = 200
    await eventually(() => expect(available()).toEqual([true]))
  })

  test.each([
    [200, 'ok', {}, undefined],
    [399, '', {}, undefined],
    [404, '', {}, 'it answered 404'],
    [204, '', { status: [200] }, 'it answered 204'],
    [404, '', { status: [404] }, undefined],
    [200, '{"status":"UP"}', { body: '"UP"' }, undefined],
    [200, '{"status":"DOWN"}', { body: '"UP"' }, 'its answer does not hold the text that is expected'],
  ])('%d %s with %o', (status, body, options, fault) => {
    expect(faultOf({ status, body: Buffer.from(body) }, options)).toBe(fault)
  })
})

describe('outliers', () => {
  const passive = { failures: 3, ejectFor: 40, maxEjectFor: '1h' }

  test('so many failures in a row eject a target for a while', async () => {
    const [a, b] = [await backend('a'), await backend('b')]
    const { plugin, available } = window()
    const running = await startGateway(configOf([a.origin, b.origin], { passive }, [plugin()]))
    a.says.request = 503
    for (let i = 0; i < 6; i++) await ask(running, '/x')
    expect(available()).toEqual([false, true])
    expect(running.log.all.find(({ message }) => message === 'a target is ejected')?.fields).toMatchObject({
      target: a.origin,
      reason: '3 requests in a row failed',
    })
    await eventually(() => expect(available()).toEqual([true, true]))
  })

  test('a success in between begins the count anew; 404 and 501 are no failures', async () => {
    const [a, b] = [await backend('a'), await backend('b')]
    const { plugin, available } = window()
    const running = await startGateway(
      configOf([a.origin, b.origin], { passive: { ...passive, ejectFor: '1h' } }, [plugin()]),
    )
    for (const status of [500, 500, 200, 500, 500, 404, 500, 500, 501]) {
      a.says.request = status
      for (let i = 0; i < 2; i++) await ask(running, '/x')
    }
    expect(available()).toEqual([true, true])
  })

  test('no more than a part of them; the only one never', async () => {
    const [a, b] = [await backend('a'), await backend('b')]
    const { plugin, available } = window()
    const running = await startGateway(
      configOf([a.origin, b.origin], { passive: { ...passive, ejectFor: '1h' } }, [plugin()]),
    )
    a.says.request = b.says.request = 500
    for (let i = 0; i < 20; i++) await ask(running, '/x')
    expect(available()?.filter(Boolean)).toHaveLength(1)
    const alone = window()
    const other = await startGateway(configOf([a.origin], { passive }, [alone.plugin()]))
    for (let i = 0; i < 10; i++) expect(await ask(other, '/x')).toBe('500 a')
    expect(alone.available()).toEqual([true])
  })

  test('by rate: failures that are never so many in a row', async () => {
    const [a, b] = [await backend('a'), await backend('b')]
    const { plugin, available } = window()
    const options = { passive: { ...passive, ejectFor: '1h', errorRate: 0.5, minRequests: 6 } }
    const running = await startGateway(configOf([a.origin, b.origin], options, [plugin()]))
    for (let i = 0; i < 5; i++) {
      a.says.request = i % 2 === 0 ? 200 : 500
      for (let j = 0; j < 2; j++) await ask(running, '/x')
    }
    expect(available()).toEqual([true, true])
    a.says.request = 500
    for (let j = 0; j < 2; j++) await ask(running, '/x')
    expect(available()).toEqual([false, true])
  })

  test('an ejection outlives a reload, and clients are told when it ends', async () => {
    const [a, b] = [await backend('a'), await backend('b')]
    const { plugin, available, ended } = window()
    const options = { passive: { ...passive, ejectFor: '30s', maxEjected: 1 } }
    const running = await startGateway(configOf([a.origin, b.origin], options, [plugin()]))
    a.says.request = b.says.request = 500
    for (let i = 0; i < 6; i++) await ask(running, '/x')
    const before = outOf(running)
    expect(before?.reasons).toEqual(['ejected: 3 requests in a row failed'])
    await running.gateway.reload(configOf([a.origin, b.origin], options, [plugin()], { drainTimeout: '1s' }))
    await eventually(() => expect(ended()).toBe(1))
    expect(available()).toEqual([false, false])
    expect(outOf(running)).toEqual(before)
    const response = await running.gateway.fetch('http://gateway.test/x')
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, expect.stringMatching(/^(29|30)$/)])
    await response.text()
  })
})

test('endpoints about the gateway', async () => {
  const a = await backend('a')
  const { plugin, available } = window()
  const running = await startGateway(configOf([a.origin], quick, [plugin()]))
  await eventually(() => expect(a.says.probes).toBeGreaterThan(0))
  expect(await ask(running, '/ready')).toBe('200 {"ready":true}')
  a.says.probe = 503
  await eventually(() => expect(available()).toEqual([false]))
  expect(await ask(running, '/ready')).toBe('503 {"ready":false}')
  expect(await ask(running, '/health')).toBe('503 {"status":"unhealthy","services":{"shop":{"total":1,"available":0}}}')
})
