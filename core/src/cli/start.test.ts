import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { makeFolder } from '../../../test/support/folder.ts'
import { listening } from '../../../test/support/listening.ts'
import { startUpstream } from '../../../test/support/upstream.ts'
import { launch, run } from './command-line.fixture.ts'

interface Parts {
  readonly listen?: string
  readonly before?: string
  readonly settings?: string
  readonly routes?: string
}

function config({
  listen = "{ port: 0, host: '127.0.0.1' }",
  before = '',
  settings = '',
  routes = '',
}: Parts = {}): string {
  return `import { defineConfig, definePlugin } from '@gateway/core'
${before}
export default defineConfig({
  listen: ${listen},
  ${settings}
  routes: {
    hello: { match: 'GET /hello', reply: { status: 200, body: 'hello' } },
    ${routes}
  },
})
`
}

function folderWith(parts?: Parts): string {
  return makeFolder({ 'gateway.config.ts': config(parts) })
}

function save(folder: string, text: string): void {
  writeFileSync(join(folder, 'gateway.config.ts'), text)
}

const toUpstream = (origin: string): Parts => ({
  settings: `services: { users: { targets: ['${origin}'] } },`,
  routes: `users: { match: 'GET /users', service: 'users' },`,
})

async function text(url: string): Promise<string> {
  return (await fetch(url)).text()
}

describe('start', () => {
  test('serves replies and services, and says where', async () => {
    const { origin } = await startUpstream((_, response) => response.end('from upstream'))
    const gateway = launch(folderWith(toUpstream(origin)), 'start')
    const url = await gateway.url()
    expect(await text(`${url}/hello`)).toBe('hello')
    expect(await text(`${url}/users`)).toBe('from upstream')
    gateway.child.kill('SIGTERM')
    expect(await gateway.ended).toMatchObject({ code: 0, stderr: '' })
  })

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s lets a request end, accepts no other, and exits with 0',
    async signal => {
      const asked = Promise.withResolvers<() => void>()
      const { origin } = await startUpstream((_, response) => asked.resolve(() => response.end('slow')))
      const gateway = launch(folderWith(toUpstream(origin)), 'start')
      const url = await gateway.url()
      const slow = text(`${url}/users`)
      const answer = await asked.promise
      gateway.child.kill(signal)
      await gateway.printed(new RegExp(`"signal":"${signal}","inFlight":1,"msg":"stopping"`))
      await expect(fetch(`${url}/hello`)).rejects.toThrow('fetch failed')
      answer()
      expect(await slow).toBe('slow')
      expect((await gateway.ended).code).toBe(0)
    },
  )

  test('a second signal ends it at once', async () => {
    const asked = Promise.withResolvers<void>()
    const { origin } = await startUpstream(() => asked.resolve())
    const gateway = launch(folderWith(toUpstream(origin)), 'start')
    const failed = expect(text(`${await gateway.url()}/users`)).rejects.toThrow('fetch failed')
    await asked.promise
    gateway.child.kill('SIGINT')
    await gateway.printed(/"msg":"stopping"/)
    gateway.child.kill('SIGINT')
    expect((await gateway.ended).code).toBe(130)
    await failed
  })

  test('a port in use is a problem of the config, at its line', async () => {
    const { port } = await listening(createServer())
    const { code, stderr } = await run(folderWith({ listen: `{ port: ${port}, host: '127.0.0.1' }` }), 'start')
    expect(code).toBe(1)
    expect(stderr).toBe(
      `gateway.config.ts:4:11 error GATEWAY_LISTEN_FAILED cannot listen on 127.0.0.1:${port}: it is in use by another process (listen)\n`,
    )
  })

  test('a config that is wrong, and a plugin that cannot be set up', async () => {
    const typo = await run(folderWith({ settings: 'drainTimout: 3,' }), 'start')
    expect(typo).toMatchObject({ code: 1, stdout: '' })
    expect(typo.stderr).toMatch(
      /^gateway\.config\.ts:5:3 error CONFIG_UNKNOWN_KEY .*\n {2}did you mean "drainTimeout"\?\n$/,
    )
    const failing = `const failing = definePlugin({ name: 'failing', setup() { throw new Error('no database') } })`
    const setup = await run(folderWith({ before: failing, settings: 'plugins: [failing()],' }), 'start')
    expect(setup).toMatchObject({ code: 1, stdout: '' })
    expect(setup.stderr).toMatch(
      /^gateway\.config\.ts:5:13 error CONFIG_SETUP_FAILED plugin "failing" failed to set up: no database/,
    )
  })

  test('--port, --host and --log-level hold against the config, also after a reload', async () => {
    const parts = { listen: `{ port: 70000, host: 'nowhere.invalid' }`, settings: `log: { level: 'silent' },` }
    const folder = folderWith(parts)
    const gateway = launch(folder, 'start', '--port', '0', '--host', '127.0.0.1', '--log-level', 'info')
    const url = await gateway.url()
    expect(await text(`${url}/hello`)).toBe('hello')
    save(folder, config({ ...parts, routes: `more: { match: 'GET /more', reply: { status: 200, body: 'more' } },` }))
    gateway.child.kill('SIGHUP')
    await gateway.printed(/"generation":2,.*"msg":"reloaded"/)
    expect(await text(`${url}/more`)).toBe('more')
  })

  test('the log level of the config follows reloads', async () => {
    const folder = folderWith()
    const gateway = launch(folder, 'start')
    const url = await gateway.url()
    save(
      folder,
      config({
        settings: `log: { level: 'debug' },`,
        routes: `bad: { match: 'GET /bad', onRequest: () => { throw new Error('x') }, reply: { status: 200 } },`,
      }),
    )
    gateway.child.kill('SIGHUP')
    await gateway.printed(/"msg":"reloaded"/)
    await fetch(`${url}/nowhere`)
    await gateway.printed(/"level":"debug",.*GATEWAY_ROUTE_NOT_FOUND/)
  })

  test('what a plugin throws where nobody catches it is logged, and the gateway goes on', async () => {
    const routes = `
      throws: { match: 'GET /throws', onRequest() { setTimeout(() => { throw new Error('late throw') }) }, reply: { status: 204 } },
      rejects: { match: 'GET /rejects', onRequest() { void Promise.reject(new Error('late rejection')) }, reply: { status: 204 } },`
    const gateway = launch(folderWith({ routes }), 'start')
    const url = await gateway.url()
    expect((await fetch(`${url}/throws`)).status).toBe(204)
    await gateway.printed(/"level":"error",.*late throw.*"msg":"an exception reached nobody"/)
    expect((await fetch(`${url}/rejects`)).status).toBe(204)
    await gateway.printed(/"level":"error",.*late rejection.*"msg":"a promise was rejected and nobody looked"/)
    expect(await text(`${url}/hello`)).toBe('hello')
    gateway.child.kill('SIGTERM')
    expect((await gateway.ended).code).toBe(0)
  })

  test('goes on when nobody reads its output any more', async () => {
    const gateway = launch(folderWith({ settings: 'log: { access: true },' }), 'start')
    const url = await gateway.url()
    gateway.child.stdout?.destroy()
    gateway.child.stderr?.destroy()
    for (let request = 0; request < 3; request++) expect(await text(`${url}/hello`)).toBe('hello')
    gateway.child.kill('SIGTERM')
    expect((await gateway.ended).code).toBe(0)
  })

  test('what a plugin leaves open does not keep it from ending', async () => {
    const gateway = launch(folderWith({ before: 'setInterval(() => {}, 1000)' }), 'start')
    await gateway.url()
    gateway.child.kill('SIGTERM')
    expect((await gateway.ended).code).toBe(0)
  })
})

describe('SIGHUP', () => {
  test('reloads; a config that is wrong says where and leaves the old one serving', async () => {
    const folder = folderWith()
    const gateway = launch(folder, 'start')
    const url = await gateway.url()
    save(folder, config().replace("match: 'GET /hello'", "match: 'GTE /hello'"))
    gateway.child.kill('SIGHUP')
    await gateway.printed(/"level":"error",.*"msg":"gateway\.config\.ts:7:21 error CONFIG_UNKNOWN_METHOD /)
    await gateway.printed(/"generation":1,"msg":"not reloaded, the old config goes on serving"/)
    expect(await text(`${url}/hello`)).toBe('hello')
    save(folder, config().replace("body: 'hello'", "body: 'hello again'"))
    gateway.child.kill('SIGHUP')
    await gateway.printed(/"generation":2,"ms":\d+,"msg":"reloaded"/)
    expect(await text(`${url}/hello`)).toBe('hello again')
  })
})

test('a SIGHUP while it starts waits until it has', async () => {
  const asked = Promise.withResolvers<() => void>()
  const { origin } = await startUpstream((_, response) => asked.resolve(() => response.end()))
  const gateway = launch(
    folderWith({ before: `if (!globalThis.asked) globalThis.asked = await fetch('${origin}')` }),
    'start',
  )
  const answer = await asked.promise
  gateway.child.kill('SIGHUP')
  answer()
  await gateway.printed(/"msg":"listening"[\s\S]*"generation":1,"msg":"not reloaded, the config says the same"/)
})

describe('--watch', () => {
  test('a route that is added answers; a typo leaves it serving and is shown at its line; its mending goes live', async () => {
    const folder = folderWith()
    const gateway = launch(folder, 'start', '--watch')
    const url = await gateway.url()
    const more = `more: { match: 'GET /more', reply: { status: 200, body: 'more' } },`
    save(folder, config({ routes: more }))
    await gateway.printed(/"generation":2,"ms":\d+,"changed":\["gateway\.config\.ts"\],"msg":"reloaded"/)
    expect(await text(`${url}/more`)).toBe('more')

    save(folder, config({ routes: more }).replace('routes: {', 'routes: {{'))
    await gateway.printed(/"msg":"gateway\.config\.ts:6:12 error CONFIG_SYNTAX /)
    await gateway.printed(/"generation":2,"changed":\["gateway\.config\.ts"\],"msg":"not reloaded/)
    expect(await text(`${url}/more`)).toBe('more')

    save(folder, config({ routes: more.replace("body: 'more'", "body: 'most'") }))
    await gateway.printed(/"generation":3,.*"msg":"reloaded"/)
    expect(await text(`${url}/more`)).toBe('most')
  })

  test('a plugin in a file of its own goes live when it is saved', async () => {
    const plugin = (value: string) => `import { definePlugin } from '@gateway/core'
export const mark = definePlugin({ name: 'mark', setup: () => ({ onRoute: () => ({ onResponse: (_, head) => head.headers.set('X-Mark', '${value}') }) }) })
`
    const folder = folderWith({ before: `import { mark } from './mark.ts'`, settings: 'plugins: [mark()],' })
    writeFileSync(join(folder, 'mark.ts'), plugin('one'))
    const gateway = launch(folder, 'start', '--watch')
    const url = await gateway.url()
    expect((await fetch(`${url}/hello`)).headers.get('x-mark')).toBe('one')
    writeFileSync(join(folder, 'mark.ts'), plugin('two'))
    await gateway.printed(/"changed":\["mark\.ts"\],"msg":"reloaded"/)
    expect((await fetch(`${url}/hello`)).headers.get('x-mark')).toBe('two')
  })

  test('a port that cannot be had leaves the old one open', async () => {
    const { port } = await listening(createServer())
    const folder = folderWith()
    const gateway = launch(folder, 'start', '--watch')
    const url = await gateway.url()
    save(folder, config({ listen: `{ port: ${port}, host: '127.0.0.1' }` }))
    await gateway.printed(
      /"msg":"gateway\.config\.ts:4:11 error GATEWAY_LISTEN_FAILED cannot listen on 127\.0\.0\.1:\d+: it is in use/,
    )
    expect(await text(`${url}/hello`)).toBe('hello')
  })
})
