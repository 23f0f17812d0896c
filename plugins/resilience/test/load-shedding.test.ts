import { loadShedding } from '@gateway/resilience'
import { pluginSuite, testGateway } from '@gateway/testing'
import { expect, onTestFinished, test, vi } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { startGateway } from '../../../test/support/gateway.ts'
import { exchange } from '../../../test/support/wire.ts'

for (const { name, run } of pluginSuite(() => loadShedding(), { routeOptions: { priority: 'low' }, alwaysOn: true }))
  test(name, run)

const reply = { status: 200, body: 'ok' }
const config = {
  plugins: [loadShedding({ maxLag: '50ms' })],
  routes: {
    low: { match: 'GET /low', reply, loadShedding: { priority: 'low' } },
    other: { match: 'GET /other', reply },
    critical: { match: 'GET /critical', reply, loadShedding: { priority: 'critical' } },
  },
}

/** Keeps the event loop busy for so long at a time, until it is stopped. */
function lag(ms: number): () => void {
  const timer = setInterval(() => {
    const end = performance.now() + ms
    while (performance.now() < end);
  }, 1)
  const stop = () => clearInterval(timer)
  onTestFinished(stop)
  return stop
}

test('while the event loop lags the least important are turned away, and no more when it is over', async () => {
  const draw = vi.spyOn(Math, 'random').mockReturnValue(0.5)
  onTestFinished(() => void vi.restoreAllMocks())
  const { port, log, gateway } = await startGateway(config)
  const status = async (path: string) => (await exchange(port, `GET ${path}`)).status
  await eventually(async () => expect(await status('/low')).toBe(200))
  const stop = lag(150)
  await eventually(async () => expect(await status('/other')).toBe(503))
  draw.mockReturnValue(1)
  expect(await status('/low')).toBe(200)
  draw.mockReturnValue(0.5)
  const shed = await exchange(port, 'GET /low')
  expect(JSON.parse(shed.body)).toMatchObject({ status: 503, code: 'LOAD_SHED', route: 'low' })
  expect(shed.lines).toContain('Retry-After: 1')
  expect(await status('/critical')).toBe(200)
  // A reload does not forget how it is.
  await gateway.reload({ ...config, log: { access: true }, listen: { port: 0, host: '127.0.0.1' }, drainTimeout: '1s' })
  const [address] = gateway.addresses
  expect((await exchange(address?.port ?? 0, 'GET /low')).status).toBe(503)
  stop()
  await eventually(() => expect(log.all.map(({ message }) => message)).toContain('load is shed no more'))
  expect(log.all.filter(({ message }) => message === 'load is shed')).toHaveLength(1)
})

test('a route that is critical is not touched', async () => {
  await using gateway = await testGateway(config)
  expect(gateway.route('GET /critical')?.plugins).toEqual([])
  expect(gateway.route('GET /other')?.plugins).toEqual(['loadShedding'])
})

test.each([
  [{ maxLag: 0 }, {}, 'must lie between 5ms and 10s (plugins[0].maxLag)'],
  [{ priority: 'urgent' }, {}, 'must be "low", "normal", "high" or "critical", not "urgent" (plugins[0].priority)'],
  [{}, { priority: 'urgent' }, 'routes.low.loadShedding.priority'],
])('refused: %o %o', async (options, route, message) => {
  const wrong = {
    plugins: [loadShedding(options as never)],
    routes: { low: { ...config.routes.low, loadShedding: route } },
  }
  await expect(testGateway(wrong)).rejects.toThrow(message)
})
