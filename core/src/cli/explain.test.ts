import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from '../../../test/support/folder.ts'
import { UsageError } from './command.ts'
import { run } from './command-line.fixture.ts'
import { explain } from './explain.ts'

const config = `import { defineConfig, definePlugin } from '@gateway/core'

const mark = definePlugin({ name: 'mark', stage: 'guard', setup: () => ({ onRoute: () => ({ onRequest() {} }) }) })

export default defineConfig({
  timeouts: { idle: '2m' },
  plugins: [mark()],
  services: { users: { targets: ['http://127.0.0.1:3001'] } },
  routes: {
    user: {
      match: 'GET /users/:id',
      service: 'users',
      rewrite: '/v2/users/:id',
      timeout: { head: '1500ms', total: '90s' },
      requestHeaders: { set: { Authorization: 'Bearer s3cret' } },
      responseHeaders: { remove: ['Server'] },
      onRequest: () => undefined,
    },
    rest: { match: 'ANY /users/*', service: 'users', timeout: '10s' },
    remove: { match: 'DELETE /users/:id', reply: { status: 204 } },
    vip: { match: 'GET /users/:id', headers: { 'x-tier': 'gold' }, redirect: '/vip/:id' },
    other: { match: 'GET /users/:id', host: 'other.test', reply: { status: 204 } },
  },
})
`

test('for people', async () => {
  const folder = makeFolder({ 'gateway.config.ts': config })
  const [user, vip, none, refused] = await Promise.all([
    run(folder, 'explain', 'get', 'http://api.test/users/7?full=1'),
    run(folder, 'explain', 'HEAD', '/users/7', '-H', 'X-Tier: gold', '-H', 'host: api.test'),
    run(folder, 'explain', 'GET', '/nowhere', '-c', join(folder, 'gateway.config.ts')),
    run(folder, 'explain', 'GET', '/users/%2e%2e'),
  ])
  expect(user).toMatchObject({ code: 0, stderr: '' })
  expect(user.stdout).toBe(`GET /users/7?full=1  (host api.test, listener *:8080)

  ·  GET /users/:id     *           vip     header x-tier: wants "gold", got none
  ·  DELETE /users/:id  *           remove  method: wants DELETE, got "GET"
  →  GET /users/:id     *           user    takes it
  ·  ANY /users/*       *           rest    would take it after that
  ·  GET /users/:id     other.test  other   host: wants other.test, got "api.test"

user  (gateway.config.ts:10:5)
  params    id = "7"
  service   users (roundRobin, http1)  (gateway.config.ts:8:15)
            http://127.0.0.1:3001/v2/users/7?full=1
  timeouts  connect  5s      default
            head     1500ms  gateway.config.ts:14:18
            idle     2m      gateway.config.ts:6:15
            total    90s     gateway.config.ts:14:34
  plugins   mark (guard)  (gateway.config.ts:7:13)
            the route itself: onRequest
  request   hop-by-hop fields go, the gateway sets X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, X-Real-IP, X-Request-ID, Via
            Host of the target
            set Authorization: [redacted]  (gateway.config.ts:15:32)
  response  remove Server  (gateway.config.ts:16:35)
`)
  expect(vip).toMatchObject({ code: 0, stderr: '' })
  expect(vip.stdout).toMatch(/→ {2}GET \/users\/:id .* vip .* takes it\n/)
  expect(vip.stdout).toMatch(/\n {2}redirect {2}308 to \/vip\/7\n {2}timeouts {2}total {2}none {2}default\n/)
  expect(none).toMatchObject({
    code: 1,
    stderr: '',
    stdout: `GET /nowhere  (no host, listener *:8080)\n\n404 GATEWAY_ROUTE_NOT_FOUND: no route for GET /nowhere\n`,
  })
  expect(refused.code).toBe(1)
  expect(refused.stdout).toBe(`GET /users/%2e%2e  (no host, listener *:8080)

400 GATEWAY_BAD_PATH: the path of the request holds a dot segment
  paths: { dotSegments: 'resolve' } on the listener resolves it
`)
})

test('as JSON, with places', async () => {
  const folder = makeFolder({ 'gateway.config.ts': config })
  const { code, stdout, stderr } = await run(folder, 'explain', 'PUT', '/users/7', '--json')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const file = join(folder, 'gateway.config.ts')
  expect(JSON.parse(stdout)).toMatchObject({
    request: { method: 'PUT', url: '/users/7', host: '', path: '/users/7', query: '', listener: '*:8080' },
    refusal: null,
    route: {
      name: 'rest',
      origin: { from: 'config', path: ['routes', 'rest'], file, line: 19, column: 5 },
      params: { '*': '7' },
      timeouts: {
        total: { ms: 10_000, origin: { file, line: 19, column: 63 } },
        connect: { origin: { from: 'default' } },
      },
      plugins: [{ name: 'mark', hooks: null, origin: { file, line: 7 } }],
    },
  })
})

test('a wrong config shows its problems and exits with 1', async () => {
  const folder = makeFolder({ 'gateway.config.ts': config.replace("service: 'users',\n", "service: 'usres',\n") })
  const { code, stdout, stderr } = await run(folder, 'explain', 'GET', '/')
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/^gateway\.config\.ts:12:16 error CONFIG_UNKNOWN_SERVICE /)
})

test.each([
  [['GET'], 'URL is missing'],
  [['GET', '/', '/'], 'unexpected argument "/": METHOD and URL are all that goes here'],
  [['GET', 'users'], 'URL must be a path or an http(s) URL, not "users"'],
  [['GET', '/', '-H', 'x-tier'], `a header is written 'name: value', not "x-tier"`],
  [['GET', '/', '-H', 'x@: a'], `a header is written 'name: value', not "x@: a"`],
  [['GET', '/', '-H'], '-H needs a value'],
  [['GET', '/', '-X', 'a'], 'unknown option "-X"'],
  [['GET', '/', '--running', '-c', 'a.ts'], '--running or --config: choose one'],
  [['GET', '/', '--running=first'], '"first" is no process number'],
])('%j is wrong usage', async (argv, message) => {
  const error = await explain.run(argv).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(UsageError)
  expect(error).toMatchObject({ message })
})

test('the help names what it takes', () => {
  expect(explain.usage).toBe('METHOD URL')
  expect(explain.help).toMatch(/ -H, --header 'name: value' .*\n.* -c, --config FILE .*\n.*\n.* --running\[=PID\] /)
})
