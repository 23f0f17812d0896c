import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createGateway, silentLog } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import { takeScreenshot, useBrowser } from '../../test/support/browser.ts'
import { onCleanup } from '../../test/support/cleanup.ts'
import { openStream } from '../../test/support/event-client.ts'
import { eventually } from '../../test/support/eventually.ts'
import config from './gateway.config.ts'
import { createMetricsServer } from './metrics-server.ts'

async function startMetrics(port = 0) {
  const server = createMetricsServer(20)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const stop = async () => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  onCleanup('upstreams', stop)
  return { stop, port: (server.address() as AddressInfo).port }
}

/** The example's config, on ports of the test's own. */
function onPorts(upstream: number) {
  const services = { metrics: { targets: [`http://127.0.0.1:${upstream}`] } }
  return { ...config, listen: { port: 0, host: '127.0.0.1' }, services }
}

async function start(settings: object) {
  const gateway = await createGateway(settings, { log: silentLog })
  onCleanup('gateways', () => gateway.close())
  return { gateway, port: (await gateway.listen())[0]?.port ?? 0 }
}

test('pages share one stream, which goes on over a reload of the config and a restart of the server', async () => {
  const metrics = await startMetrics()
  const { gateway, port } = await start(onPorts(metrics.port))
  const pages = [await openStream(port, {}, '/events'), await openStream(port, {}, '/events')]
  const goOn = async () => {
    for (const page of pages) {
      const before = page.data.length
      await eventually(() => expect(page.data.length).toBeGreaterThan(before + 1))
      expect(JSON.parse(page.data.at(-1) ?? '')).toMatchObject({ load: expect.any(Number), streams: 1 })
    }
  }
  await goOn()
  await gateway.reload(onPorts(metrics.port))
  await goOn()
  await metrics.stop()
  await startMetrics(metrics.port)
  await goOn()
  expect(pages.map(page => page.over)).toEqual([undefined, undefined])
})

describe('in Chromium', () => {
  const newPage = useBrowser()

  test('the page keeps updating, over a reload of the config and one of its own', async () => {
    const metrics = await startMetrics()
    const { gateway, port } = await start(onPorts(metrics.port))
    const page = await newPage()
    await page.goto(`http://127.0.0.1:${port}/`)
    const updates = async () => Number(await page.textContent('#count'))
    const goOn = async () => {
      const before = await updates()
      await eventually(async () => expect(await updates()).toBeGreaterThan(before + 3))
      expect(await page.textContent('#state')).toBe('open')
    }
    await goOn()
    await takeScreenshot(page, 'dashboard-before-reload')
    const connections = gateway.connections.map(({ id }) => id)
    await gateway.reload({ ...onPorts(metrics.port), timeouts: { head: '9s' } })
    await goOn()
    // The stream that was open is open still.
    expect(gateway.connections.map(({ id }) => id)).toEqual(connections)
    await takeScreenshot(page, 'dashboard-after-reload')
    await page.reload()
    await goOn()
  })
})
