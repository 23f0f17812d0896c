import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test, vi } from 'vitest'
import { makeFolder } from '../../../test/support/folder.ts'
import { UsageError } from './command.ts'
import { launch, run } from './command-line.fixture.ts'
import { plan } from './plan.ts'

const before = `import { defineConfig, defineExtension, definePlugin } from '@gateway/core'
import * as z from 'zod'

const ring = defineExtension({ point: 'balancer', name: 'ring', create: () => ({ pick: ([target]) => target }) })
const limit = definePlugin({
  name: 'limit',
  options: z.object({ most: z.number(), apiKey: z.string() }),
  routeOptions: z.object({ per: z.string() }),
  extensions: [ring],
  setup() {},
})

export default defineConfig({
  listen: [{ port: 0, host: '127.0.0.1' }, { port: 0, host: '127.0.0.1' }],
  plugins: [limit({ most: 3, apiKey: 'hush-hush' })],
  services: {
    users: { targets: ['http://127.0.0.1:3001', 'http://127.0.0.1:3002'] },
    orders: { targets: ['http://127.0.0.1:4001'], balance: 'ring' },
    spare: { targets: ['http://127.0.0.1:5001'] },
  },
  routes: {
    user: { match: 'GET /users/:id', service: 'users', limit: { per: 'ip' }, timeout: { head: '5s' } },
    order: { match: 'GET /orders/:id', service: 'orders', onRequest: () => undefined },
    vip: { match: 'GET /vip', headers: { 'x-api-key': 's3cret' }, redirect: '/users/1' },
    spare: { match: 'GET /spare', service: 'spare' },
    gone: { match: 'GET /gone', service: 'spare' },
  },
})
`
const after = [
  [", { port: 0, host: '127.0.0.1' }]", ']'],
  ["most: 3, apiKey: 'hush-hush'", "most: 4, apiKey: 'whisper'"],
  [":3002'", ":3003'"],
  ["head: '5s'", "head: '1500ms'"],
  ['onRequest: () => undefined', 'onRequest: () => ({ status: 404 })'],
  ["gone: { match: 'GET /gone', service: 'spare' }", "come: { match: 'POST /come', reply: { status: 204 } }"],
].reduce((config, [old = '', now = '']) => config.replace(old, now), before)

const planned = (source: string, closed: string) => `${source} → after.ts

listeners
  - ${closed}  closed

plugins
  ~ limit
      options.apiKey  [redacted], another than before
      options.most  3 → 4

services
  ~ users   rebuilt
      + http://127.0.0.1:3003
      - http://127.0.0.1:3002
      1 target kept
  = orders  rebuilt as it is: its balancer "ring" is a plugin's, and plugins are set up anew

routes
  + come   POST /come → reply 204
  - gone   GET /gone → spare
  ~ order
      hooks.onRequest  [function onRequest], another than before
  ~ user
      timeouts.head  5s → 1500ms

Kept: 2 routes, 1 service, 0 plugins, 1 listener.

connections
  clients  ${closed.padEnd(21)}  idle ones are closed, others after their exchange, at the latest after 30 s
  targets  http://127.0.0.1:3002  closed when the last request on them has ended
`

const request = (url: string, headers: object[] = []) => ({ request: { method: 'GET', url, headers } })
const har = JSON.stringify({
  log: {
    entries: [
      request('https://a.test/users/7?access_token=abc'),
      request('https://a.test/gone'),
      request('https://a.test/spare'),
      request('https://a.test/vip', [{ name: 'X-API-Key', value: 's3cret' }]),
      {},
    ],
  },
})
const replayed = `before.har: 4 requests (besides 1 malformed), 2 treated differently

1 × user (users) → user (users): target, plugins
    plugins limit, with other options
    GET  https://a.test/users/7?access_token=[redacted]

1 × gone (spare) → 404 GATEWAY_ROUTE_NOT_FOUND: route, status
    GET  https://a.test/gone

before.har:5 names no method or no URL

Hooks were not run: what plugins and hooks of routes would answer or change was not compared, nor were bodies and limits.
`

/** In this process, which is quicker than one of its own. */
async function planHere(folder: string, ...args: string[]) {
  const output = { stdout: '', stderr: '' }
  const spies = (['stdout', 'stderr'] as const).map(name =>
    vi.spyOn(process[name], 'write').mockImplementation(text => {
      output[name] += String(text).replaceAll(`${folder}/`, '')
      return true
    }),
  )
  const argv = args.map(arg => (/\.(?:ts|har|log)$/.test(arg) ? join(folder, arg) : arg))
  try {
    return { code: await plan.run(argv), ...output }
  } catch (error) {
    return { code: error, ...output }
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
}

test('two files', async () => {
  const folder = makeFolder({ 'before.ts': before, 'after.ts': after, 'before.har': har })
  const changes = await planHere(folder, 'before.ts', 'after.ts', '--exit-code')
  expect(changes).toEqual({ code: 3, stderr: '', stdout: planned('before.ts', '127.0.0.1:0, 2') })
  const none = await planHere(folder, 'before.ts', 'before.ts', '--exit-code')
  expect(none).toEqual({ code: 0, stderr: '', stdout: 'before.ts → before.ts\n\nNothing changes.\n' })
  const json = await planHere(folder, 'before.ts', 'after.ts', '--json', '--replay', 'before.har')
  expect(json).toMatchObject({ code: 0, stderr: '' })
  expect(JSON.parse(json.stdout)).toMatchObject({
    before: { file: 'before.ts' },
    after: { file: 'after.ts' },
    differs: true,
    routes: { added: ['come'], removed: ['gone'], kept: ['spare', 'vip'] },
    problems: [],
    replay: {
      requests: 4,
      differing: 2,
      malformed: { count: 1, first: [{ line: 5 }] },
      notes: [expect.stringMatching(/^Hooks/)],
    },
  })
  for (const { stdout } of [changes, json]) expect(stdout).not.toMatch(/hush-hush|whisper|s3cret|=abc/)
})

test('a running gateway, with what its command line says', async () => {
  const folder = makeFolder({ 'gateway.config.ts': before, 'after.ts': after, 'before.har': har })
  const gateway = launch(folder, 'start', '--host', 'localhost')
  await gateway.url()
  const source = `process ${gateway.child.pid} (gateway.config.ts)`
  const changes = await run(folder, 'plan', 'after.ts', '--replay', 'before.har')
  const stdout = `${planned(source, '127.0.0.1:0')}\n${replayed}`
  expect(changes).toEqual({ code: 0, stderr: '', stdout })
  vi.stubEnv('XDG_RUNTIME_DIR', folder)
  vi.stubEnv('TMPDIR', folder)
  onTestFinished(() => void vi.unstubAllEnvs())
  const same = await planHere(folder)
  expect(same).toEqual({ code: 0, stderr: '', stdout: `${source} → gateway.config.ts\n\nNothing changes.\n` })
  const named = await planHere(folder, `--running=${gateway.child.pid}`, 'gateway.config.ts', '--json')
  expect(JSON.parse(named.stdout)).toMatchObject({ before: { pid: gateway.child.pid }, differs: false })
  expect((await planHere(folder, '--running=1', 'after.ts')).code).toMatchObject({
    message: 'no gateway of this user runs as process 1 with a control socket',
  })
})

test('what cannot be read', async () => {
  const folder = makeFolder({
    'good.ts': before,
    'bad.ts': before.replace("service: 'users'", "service: 'usres'"),
    'empty.har': '{}',
    'noise.log': 'noise\n',
  })
  const stderr = expect.stringMatching(/^bad\.ts:\d+:\d+ error CONFIG_UNKNOWN_SERVICE /)
  expect(await planHere(folder, 'good.ts', 'bad.ts')).toEqual({ code: 1, stdout: '', stderr })
  expect(await planHere(folder, 'bad.ts', 'good.ts')).toEqual({ code: 1, stdout: '', stderr })
  const { stdout } = await planHere(folder, 'good.ts', 'bad.ts', '--json')
  expect(JSON.parse(stdout)).toMatchObject({ problems: [{ code: 'CONFIG_UNKNOWN_SERVICE' }] })
  const replays = async (record: string) => (await planHere(folder, 'good.ts', 'good.ts', '--replay', record)).code
  expect(await replays('gone.log')).toMatchObject({
    message: expect.stringMatching(/^cannot read .*gone\.log: ENOENT/),
  })
  expect(await replays('empty.har')).toMatchObject({ message: expect.stringMatching(/: it is no HAR file: /) })
  expect(await replays('noise.log')).toMatchObject({
    message: expect.stringMatching(/noise\.log holds no request; 1: neither JSON nor Common Log Format$/),
  })
})

test('a log that is larger than the memory, with a line that is, too', async () => {
  const folder = makeFolder({ 'before.ts': before, 'after.ts': after })
  const log = join(folder, 'access.log')
  const line = (id: number) =>
    `127.0.0.1 - - [23/Nov/2026:16:00:00 +0000] "GET /${id % 2 ? 'users' : 'gone'}/${id} HTTP/1.1" 200 12 "-" "${'agent '.repeat(80)}"\n`
  writeFileSync(log, Array.from({ length: 50_000 }, (_, id) => line(id)).join(''))
  truncateSync(log, 80 * 1024 * 1024)
  const args = ['--max-old-space-size=48', join(import.meta.dirname, '../../bin/gateway.js')]
  const child = spawn(process.execPath, [...args, 'plan', 'before.ts', 'after.ts', '--json', '--replay', log], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
  expect(code).toBe(0)
  expect(JSON.parse(output).replay).toMatchObject({
    requests: 50_000,
    differing: 25_000,
    groups: [{ before: { route: 'user' }, count: 25_000 }],
    malformed: { count: 1, first: [{ line: 50_001, fault: expect.stringMatching(/^longer than/) }] },
  })
})

test.each([
  [['a.ts', 'b.ts', 'c.ts'], 'unexpected argument "c.ts": OLD and NEW are all that goes here'],
  [['a.ts', 'b.ts', '--running'], '--running or OLD: choose one'],
  [['a.ts', 'b.ts', '--host', 'a.test'], '--host is about the requests of --replay'],
  [['a.ts', '--running=first'], '"first" is no process number'],
])('%j is wrong usage', async (argv, message) => {
  const error = await plan.run(argv).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(UsageError)
  expect(error).toMatchObject({ message })
})
