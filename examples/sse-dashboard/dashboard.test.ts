import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGateway, silentLog } from '@gateway/core'
import { expect, test } from 'vitest'
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

const chromium = '/usr/bin/chromium'

/** A page that holds the dashboard, and tells what it shows; told so, it reloads it. */
const watcher = `<!doctype html><iframe src="/"></iframe><script>
  const frame = document.querySelector('iframe')
  setInterval(async () => {
    const shown = id => frame.contentDocument?.getElementById(id)?.textContent ?? ''
    const answer = await fetch('/watch?' + new URLSearchParams({ state: shown('state'), count: shown('count') }))
    if ((await answer.text()) === 'reload') frame.contentWindow.location.reload()
  }, 50)
</script>`

test.skipIf(!existsSync(chromium))(
  'the page in Chromium keeps updating, over a reload of the config and one of its own',
  async () => {
    const metrics = await startMetrics()
    const base = onPorts(metrics.port)
    const seen: { state: string; count: number }[] = []
    let order = ''
    const watch = (ctx: { readonly query: string }) => {
      const { state = '', count = '' } = Object.fromEntries(new URLSearchParams(ctx.query))
      seen.push({ state, count: Number(count) })
      const body = order
      order = ''
      return { status: 200, body }
    }
    const page = { status: 200, headers: { 'Content-Type': 'text/html' }, body: watcher }
    const routes = {
      ...base.routes,
      watcher: { match: 'GET /watcher', reply: page },
      watch: { match: 'GET /watch', reply: { status: 200 }, onRequest: watch },
    }
    const { gateway, port } = await start({ ...base, routes })
    const profile = mkdtempSync(join(tmpdir(), 'chromium-'))
    const args = [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
    ]
    const browser = spawn(chromium, [...args, `--user-data-dir=${profile}`, `http://127.0.0.1:${port}/watcher`], {
      stdio: 'ignore',
    })
    onCleanup('clients', async () => {
      const exit = browser.exitCode === null && once(browser, 'exit')
      browser.kill()
      await exit
      rmSync(profile, { recursive: true, force: true, maxRetries: 10 })
    })

    const updates = async (more: number) => {
      const { length } = seen
      const from = seen.at(-1)?.count ?? 0
      await eventually(() => expect(seen.at(-1)).toMatchObject({ state: 'open' }))
      await eventually(() => expect(seen.at(-1)?.count).toBeGreaterThan(from + more))
      return seen.slice(length)
    }
    await updates(5)
    await gateway.reload({ ...base, routes })
    expect((await updates(5)).every(({ state }) => state === 'open')).toBe(true)
    order = 'reload'
    await eventually(() => expect(seen.at(-1)?.count).toBeLessThan(5))
    await updates(5)
  },
)
