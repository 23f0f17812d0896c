import { existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from '../../../test/support/folder.ts'
import { listening } from '../../../test/support/listening.ts'
import { askControl } from '../control/ask-control.ts'
import { websocketAccept } from '../http1/websocket-key.ts'
import { type Finished, launch, run } from './command-line.fixture.ts'

const config = (body: string) => `import { defineConfig, definePlugin } from '@gateway/core'

const mark = definePlugin({ name: 'mark', setup: () => ({ onRoute: () => ({ onRequest() {} }) }) })

export default defineConfig({
  listen: { port: 0, host: '127.0.0.1' },
  plugins: [mark()],
  services: { users: { targets: ['http://127.0.0.1:3001'] }, spare: { targets: ['http://127.0.0.1:3002'] } },
  routes: {
    users: { match: 'ANY /users/*', service: 'users', requestHeaders: { set: { Authorization: 'Bearer s3cret' } } },
    hello: { match: 'GET /hello', reply: { status: 200, body: ${body} } },
  },
})
`
const good = config("'hello'")

const firstLine = ({ code, stderr }: Finished) => [code, stderr.split('\n')[0]]

test('a running gateway is asked', async () => {
  const folder = makeFolder({ 'gateway.config.ts': good })
  const file = join(folder, 'gateway.config.ts')
  const gateway = launch(folder, 'start')
  const url = await gateway.url()
  const pid = String(gateway.child.pid)
  const socket = join(folder, 'gateway', `${pid}.sock`)
  const [status, json, explained, refused, wrongPid, noPid] = await Promise.all([
    run(folder, 'status'),
    run(folder, 'status', pid, '--json'),
    run(folder, 'explain', '--running', 'GET', '/users/7'),
    run(folder, 'explain', `--running=${pid}`, 'GET', '/nowhere', '--json'),
    run(folder, 'status', '1'),
    run(folder, 'status', 'one'),
  ])
  expect(status).toMatchObject({ code: 0, stderr: '' })
  expect(status.stdout.replace(/up \d+s/, 'up 1s')).toMatch(
    new RegExp(`^process +${pid}, gateway \\d+\\.\\d+\\.\\d+, up 1s
config +gateway\\.config\\.ts
listening +${url}
generations +1 serving, 0 in flight.*
services +users: 1 target
 +spare: 1 target
shared +gateway\\.pool http://127\\.0\\.0\\.1:3001 \\{\\}
 +gateway\\.pool http://127\\.0\\.0\\.1:3002 \\{\\}
warnings +gateway\\.config\\.ts:8:\\d+ warning CONFIG_UNUSED_SERVICE `),
  )
  expect(JSON.parse(json.stdout)).toMatchObject({
    pid: gateway.child.pid,
    configFile: file,
    addresses: [{ url }],
    generation: 1,
    workers: [
      {
        worker: 0,
        generations: [{ id: 1, state: 'serving', inFlight: 0, holders: [] }],
        services: [
          {
            name: 'users',
            targets: [{ url: 'http://127.0.0.1:3001', weight: 1, priority: 0, inFlight: 0, inUse: true }],
          },
          { name: 'spare', targets: [{ url: 'http://127.0.0.1:3002' }] },
        ],
        connections: [],
      },
    ],
    warnings: [{ code: 'CONFIG_UNUSED_SERVICE', file, line: 8 }],
  })
  expect(explained.code).toBe(0)
  expect(explained.stdout).toMatch(/\n {2}plugins +mark \(shape\), onRequest {2}\(gateway\.config\.ts:7:13\)\n/)
  expect(explained.stdout).toContain('set Authorization: [redacted]  (gateway.config.ts:10:')
  expect(refused.code).toBe(1)
  expect(JSON.parse(refused.stdout)).toMatchObject({ refusal: { status: 404 }, route: null })
  expect(firstLine(wrongPid)).toEqual([1, 'gateway: no gateway of this user runs as process 1 with a control socket'])
  expect(firstLine(noPid)).toEqual([2, 'gateway: "one" is no process number'])

  const model = await askControl(socket, 'GET /model')
  expect(model).toMatchObject({ pluginOrder: ['mark'], routes: { hello: { match: 'GET /hello' } } })
  expect(JSON.stringify(model)).not.toContain('s3cret')
  const routes = await askControl(socket, 'GET /routes')
  expect(routes).toMatchObject([
    { name: 'hello', path: '/hello' },
    { name: 'users', to: 'users' },
  ])
  expect(JSON.stringify(routes)).not.toContain('found')
  await expect(askControl(socket, 'POST /explain', { method: 'GET' })).rejects.toThrow('give it { method, url, headers')
  await expect(askControl(socket, 'POST /explain', { method: 'G T', url: '/' })).rejects.toThrow('"G T" is no method')

  writeFileSync(file, config("'hello again'"))
  const stale = await askControl(socket, 'POST /explain', { method: 'GET', url: '/hello' })
  expect(stale).toMatchObject({ route: { origin: { path: ['routes', 'hello'] } } })
  expect(JSON.stringify(stale)).not.toContain('"line"')
  expect(JSON.stringify(stale)).toContain('have changed since it was loaded')

  const reloaded = await run(folder, 'reload')
  expect(reloaded).toMatchObject({ code: 0, stderr: 'generation 2 serves\n' })
  expect(reloaded.stdout).toMatch(/^gateway\.config\.ts:8:\d+ warning CONFIG_UNUSED_SERVICE /)
  expect(await (await fetch(`${url}/hello`)).text()).toBe('hello again')

  writeFileSync(file, config('1'))
  const [wrong, wrongJson] = await Promise.all([run(folder, 'reload', pid), run(folder, 'reload', '--json')])
  expect(wrong.code).toBe(1)
  expect(wrong.stdout).toMatch(/^gateway\.config\.ts:11:\d+ error CONFIG_INVALID_VALUE /m)
  expect(wrong.stderr).toMatch(/^1 error.*: not reloaded, generation 2 goes on serving\n$/)
  expect(wrongJson.code).toBe(1)
  expect(JSON.parse(wrongJson.stdout)).toMatchObject({
    ok: false,
    generation: 2,
    problems: [{ code: 'CONFIG_INVALID_VALUE', line: 11 }],
  })

  gateway.child.kill('SIGTERM')
  expect((await gateway.ended).code).toBe(0)
  expect(existsSync(socket)).toBe(false)
})

test('it tells how discovery stands, and of the routes that were found', async () => {
  const folder = makeFolder({
    'gateway.config.ts': `import { defineConfig, defineExtension, definePlugin } from '@gateway/core'

const says = defineExtension({
  point: 'discovery',
  name: 'says',
  create: (_host, _options, service) => ({
    watch(found, lost) {
      if (service !== 'mute') found([{ url: 'http://127.0.0.1:3001' }], [{ match: 'GET /' + service, from: 'a test' }])
      if (service === 'lost') lost('no answer')
    },
  }),
})

export default defineConfig({
  listen: { port: 0, host: '127.0.0.1' },
  workers: 2,
  plugins: [definePlugin({ name: 'saying', extensions: [says] })()],
  services: { found: { discover: 'says' }, lost: { discover: 'says' }, mute: { discover: 'says' } },
  routes: { mute: { match: 'GET /mute', service: 'mute' } },
})
`,
  })
  const gateway = launch(folder, 'start')
  await gateway.url()
  const [status, offline, running, routes, routesOfFile, rows, plan] = await Promise.all([
    run(folder, 'status'),
    run(folder, 'explain', 'GET', '/mute'),
    run(folder, 'explain', '--running', 'GET', '/lost'),
    run(folder, 'routes', '--running'),
    run(folder, 'routes'),
    run(folder, 'routes', `--running=${gateway.child.pid}`, '--json'),
    run(folder, 'plan'),
  ])
  const lines = /\nservices +(.*)\n +(.*)\n +(.*)\nshared/.exec(status.stdout)?.slice(1)
  expect(lines?.map(line => line.replace(/for \d+s/, 'for 1s'))).toEqual([
    'found: 1 target of says',
    'lost: 1 target of says, stale for 1s: no answer',
    'mute: 0 targets of says, which has not said anything yet',
  ])
  expect(offline.stdout).toMatch(/\n {2}service +mute \(roundRobin, http1, targets of says\)/)
  expect(running.stdout).toMatch(/\nlost: GET \/lost {2}\(discovery\)\n/)
  expect(running.stdout).toMatch(/\n {2}service +lost \(roundRobin, http1, targets of says, stale: no answer\)/)
  expect(routes.stdout).toMatch(
    /^METHOD .* NAME +FROM\nGET +\* +\/found +→ found +- +- +found: GET \/found +says: a test\nGET +\* +\/lost +→ lost +- +- +lost: GET \/lost +says: a test\nGET +\* +\/mute +→ mute +- +- +mute +config\n$/,
  )
  expect(routesOfFile.stdout).toMatch(/^METHOD .* NAME\nGET +\* +\/mute +→ mute +- +- +mute\n$/)
  expect(JSON.parse(rows.stdout).map(({ found }: { found?: unknown }) => found)).toEqual([
    { discovery: 'says', from: 'a test' },
    { discovery: 'says', from: 'a test' },
    undefined,
  ])
  // They are not the config's, so that no other config takes them away.
  expect(plan.stdout).toMatch(/\n\nNothing changes\.\n$/)
})

test('several gateways, one without a socket, one that was killed, and none', async () => {
  const folder = makeFolder({ 'a.ts': good, 'b.ts': good, 'c.ts': good })
  const [a, b, c] = [
    launch(folder, 'start', 'a.ts', '--workers', '2'),
    launch(folder, 'start', 'b.ts'),
    launch(folder, 'start', 'c.ts', '--no-control'),
  ]
  await Promise.all([a.url(), b.url(), c.url()])
  const both = await run(folder, 'status')
  expect(both.code).toBe(2)
  expect(both.stderr).toMatch(/^gateway: several gateways run, say which by its number:\n/)
  expect(both.stderr.match(/^ {2}\d+ {2}.*$/gm)?.toSorted()).toEqual(
    [`  ${a.child.pid}  ${join(folder, 'a.ts')}`, `  ${b.child.pid}  ${join(folder, 'b.ts')}`].toSorted(),
  )
  b.child.kill('SIGKILL')
  await b.ended
  const left = join(folder, 'gateway', `${b.child.pid}.sock`)
  expect(existsSync(left)).toBe(true)
  const one = await run(folder, 'status', '--json')
  expect(JSON.parse(one.stdout)).toMatchObject({
    pid: a.child.pid,
    configFile: join(folder, 'a.ts'),
    workers: [{ generations: [{ id: 1 }] }, { generations: [{ id: 1 }] }],
    shared: expect.arrayContaining(['gateway.pool http://127.0.0.1:3001 {}']),
  })
  expect(existsSync(left)).toBe(false)
  const [explained, status] = await Promise.all([
    run(folder, 'explain', '--running', 'GET', '/users/7', '--json'),
    run(folder, 'status'),
  ])
  expect(JSON.parse(explained.stdout).route.plugins).toMatchObject([{ name: 'mark', hooks: ['onRequest'] }])
  expect(status.stdout).toMatch(/\ngenerations +worker \d: 1 serving, 0 in flight.*\n +worker \d: 1 serving, /)
  a.child.kill('SIGTERM')
  await a.ended
  const none = await run(folder, 'reload')
  expect(firstLine(none)).toEqual([1, 'gateway: no gateway of this user runs with a control socket'])
})

test('a gateway that can have no socket says why, and serves', async () => {
  const folder = makeFolder({ 'gateway.config.ts': good, gateway: 'a file in its place' })
  const gateway = launch(folder, 'start')
  const url = await gateway.url()
  await gateway.printed(/"level":"warn",.*"msg":"no control socket .*gateway is no folder: remove it"/)
  expect(await (await fetch(`${url}/hello`)).text()).toBe('hello')
})

test('connections that stay open are listed and closed, in several workers as in one', async () => {
  const upstream = createServer()
  upstream.on('upgrade', (request, socket) => {
    const accept = websocketAccept(request.headers['sec-websocket-key'] ?? '')
    const lines = ['Connection: Upgrade', 'Upgrade: websocket', `Sec-WebSocket-Accept: ${accept}`]
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`)
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
  })
  const { port } = await listening(upstream)
  const folder = makeFolder({
    'gateway.config.ts': `import { defineConfig } from '@gateway/core'
export default defineConfig({
  listen: { port: 0, host: '127.0.0.1' },
  services: { chat: { targets: ['http://127.0.0.1:${port}'] } },
  routes: { chat: { match: 'GET /chat', service: 'chat', onTunnel() {} } },
})
`,
  })
  const gateway = launch(folder, 'start', '--workers', '2')
  const url = await gateway.url()
  expect((await run(folder, 'connections')).stdout).toBe('none is open\n')
  const socket = new WebSocket(`${url}/chat`)
  await new Promise(resolve => socket.addEventListener('open', resolve))
  const closed = new Promise(resolve => socket.addEventListener('close', resolve))
  const listed = await run(folder, 'connections')
  const [, id] =
    /^id .*\n(\S+) +websocket +chat +127\.0\.0\.1 +http:\S+ +\d+ s +0 B +0 B +0\n$/.exec(listed.stdout) ?? []
  expect(id).toBeDefined()
  expect((await run(folder, 'status')).stdout).toContain('\nopen         1 websocket on chat\n')
  expect(firstLine(await run(folder, 'connections', '--close', 'x'))).toEqual([1, 'gateway: there is no connection x'])
  expect(await run(folder, 'connections', '--close', id ?? '')).toMatchObject({ code: 0, stderr: '' })
  await closed
})
