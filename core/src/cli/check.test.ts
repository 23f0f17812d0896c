import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from '../../../test/support/folder.ts'
import { run } from './command-line.fixture.ts'

const limit = `import { definePlugin } from '@gateway/core'
import type { Schema } from '@gateway/core'

export interface Limit {
  readonly max: number
}
const routeOptions: Schema<Limit, Limit> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: value =>
      typeof (value as Partial<Limit>).max === 'number'
        ? { value: value as Limit }
        : { issues: [{ message: 'must be a number', path: ['max'] }] },
  },
}
export const limit = definePlugin({ name: 'limit', routeOptions, setup() {} })
`

const fine = `import { defineConfig } from '@gateway/core'
import { limit } from './limit.ts'

export default defineConfig({
  listen: { port: 0 },
  plugins: [limit()],
  services: { users: { targets: ['http://127.0.0.1:3001'] } },
  routes: {
    list: { match: 'GET /users', service: 'users', limit: { max: 3 } },
    hello: { match: 'GET /hello', reply: { status: 200, body: 'hi' } },
  },
})
`

const mistaken = `import { defineConfig } from '@gateway/core'
import { limit } from './limit.ts'

export default defineConfig({
  listen: { port: 0 },
  plugins: [limit()],
  services: { users: { targets: ['http://127.0.0.1:3001'] } },
  routes: {
    unknownService: { match: 'GET /a', service: 'usres' },
    unknownMethod: { match: 'GTE /b', service: 'users' },
    wrongOption: { match: 'GET /c', service: 'users', limit: { max: 'many' } },
    unknownParameter: { match: 'GET /d/:id', service: 'users', rewrite: '/v2/:ID' },
    unknownKey: {
      match: 'GET /e',
      service: 'users',
      timout: '10s',
    },
  },
})
`

test('a fine config', async () => {
  const { code, stdout, stderr } = await run(makeFolder({ 'gateway.config.ts': fine, 'limit.ts': limit }), 'check')
  expect({ code, stdout, stderr }).toEqual({
    code: 0,
    stdout: '',
    stderr: 'gateway.config.ts is fine: 2 routes, 1 service, 1 plugin\n',
  })
})

test('five mistakes are named once each, with line and column', async () => {
  const { code, stdout, stderr } = await run(makeFolder({ 'gateway.config.ts': mistaken, 'limit.ts': limit }), 'check')
  expect(code).toBe(1)
  expect(stdout.split('\n')).toEqual([
    'gateway.config.ts:9:49 error CONFIG_UNKNOWN_SERVICE there is no service "usres" (routes.unknownService.service)',
    '  did you mean "users"?',
    'gateway.config.ts:10:29 error CONFIG_UNKNOWN_METHOD unknown method "GTE" (routes.unknownMethod.match)',
    '  did you mean "GET"?',
    'gateway.config.ts:11:69 error CONFIG_INVALID_VALUE must be a number (routes.wrongOption.limit.max)',
    expect.stringMatching(
      /^gateway\.config\.ts:12:73 error CONFIG_INVALID_TEMPLATE .*":ID" \(routes\.unknownParameter\.rewrite\)$/,
    ),
    '  did you mean "id"?',
    'gateway.config.ts:16:7 error CONFIG_UNKNOWN_KEY unknown key "timout" (routes.unknownKey.timout)',
    '  did you mean "timeout"?',
    '',
  ])
  expect(stderr).toBe('5 errors\n')
})

test('a right key that the compiler blames for what is missing is not a second problem', async () => {
  const config = fine.replace("reply: { status: 200, body: 'hi' }", "\nreplay: { status: 200, body: 'hi' }")
  const { code, stdout } = await run(makeFolder({ 'gateway.config.ts': config, 'limit.ts': limit }), 'check', '--json')
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject([{ code: 'CONFIG_UNKNOWN_KEY', line: 11, column: 1 }])
})

test('a mistake that only the compiler can see', async () => {
  const config = `${fine}\nexport const port: number = 'eighty'\n`
  const { code, stdout } = await run(makeFolder({ 'gateway.config.ts': config, 'limit.ts': limit }), 'check')
  expect(code).toBe(1)
  expect(stdout).toBe("gateway.config.ts:14:14 error TS2322 Type 'string' is not assignable to type 'number'.\n")
})

test('problems as JSON', async () => {
  const folder = makeFolder({ 'gateway.config.ts': mistaken, 'limit.ts': limit })
  const { code, stdout, stderr } = await run(folder, 'check', '--json')
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
  const problems = JSON.parse(stdout)
  expect(problems).toHaveLength(5)
  expect(problems[0]).toEqual({
    severity: 'error',
    code: 'CONFIG_UNKNOWN_SERVICE',
    message: 'there is no service "usres"',
    path: ['routes', 'unknownService', 'service'],
    hint: 'did you mean "users"?',
    file: join(folder, 'gateway.config.ts'),
    line: 9,
    column: 49,
  })
})

test('warnings fail only when --strict, and never show a secret', async () => {
  const config = fine
    .replace('users: {', "spare: { targets: ['http://127.0.0.1:3002'] }, users: {")
    .replace('reply: {', "headers: { 'x-api-key': 'q7Zk2mXw9RtB4vLp' }, reply: {")
  const folder = makeFolder({ 'gateway.config.ts': config, 'limit.ts': limit })
  const [plain, strict] = await Promise.all([run(folder, 'check'), run(folder, 'check', '--strict')])
  expect(plain.code).toBe(0)
  expect(plain.stdout).toMatch(
    /^gateway\.config\.ts:7:\d+ warning CONFIG_UNUSED_SERVICE .*\ngateway\.config\.ts:10:59 warning CONFIG_SECRET_LITERAL .*\n$/,
  )
  expect(plain.stdout).not.toContain('q7Zk')
  expect(plain.stderr).toBe('gateway.config.ts has 2 warnings: 2 routes, 2 services, 1 plugin\n')
  expect(strict.code).toBe(1)
})

test.each([
  ['a syntax error', `export default {\n  routes: {{\n}\n`, /^gateway\.config\.ts:2:12 error CONFIG_SYNTAX .*\n$/],
  [
    'a throw',
    `export const a = 1\nthrow new RangeError('no')\n`,
    /^gateway\.config\.ts:2:7 error CONFIG_THREW RangeError: no$/m,
  ],
  [
    'a missing import',
    `import './gone.ts'\nexport default {}\n`,
    /^gateway\.config\.ts:1:8 error CONFIG_IMPORT_NOT_FOUND [^\n]*\n/,
  ],
  ['no default export', 'export const a = 1\n', /^gateway\.config\.ts error CONFIG_NO_DEFAULT_EXPORT /],
  ['an export that is no config', 'export default 3\n', /^gateway\.config\.ts:1:16 error CONFIG_NOT_AN_OBJECT /],
])('%s', async (_, config, expected) => {
  const { code, stdout, stderr } = await run(makeFolder({ 'gateway.config.ts': config }), 'check')
  expect(code).toBe(1)
  expect(stdout).toMatch(expected)
  expect(stderr).toBe('1 error\n')
})

const demanding = `import { appendFileSync } from 'node:fs'
import { definePlugin } from '@gateway/core'

export const demanding = definePlugin({
  name: 'demanding',
  setup(host) {
    host.log.info('never shown')
    // Whatever a plugin leaves behind, the check ends.
    setInterval(() => {}, 1_000)
    host.defer(() => appendFileSync('taken-down', 'x'))
    return { onRoute: route => (route.name === 'hello' ? route.problem('wants a service') : undefined) }
  },
})
`

test('what only set-up can find, unless it is left out', async () => {
  const config = fine
    .replace('./limit.ts', './demanding.ts')
    .replaceAll('limit()', 'demanding()')
    .replace('{ limit }', '{ demanding }')
    .replace(', limit: { max: 3 }', '')
  const folder = makeFolder({ 'gateway.config.ts': config, 'demanding.ts': demanding })
  const offline = await run(folder, 'check', '--no-setup')
  expect(offline).toMatchObject({
    code: 0,
    stdout: '',
    stderr: 'gateway.config.ts is fine: 2 routes, 1 service, 1 plugin\n',
  })
  expect(existsSync(join(folder, 'taken-down'))).toBe(false)
  const { code, stdout, stderr } = await run(folder, 'check')
  expect({ code, stderr }).toEqual({ code: 1, stderr: '1 error\n' })
  expect(stdout).toMatch(/^gateway\.config\.ts:10:\d+ error \w+ .*wants a service.*\n$/)
  expect(readFileSync(join(folder, 'taken-down'), 'utf8')).toBe('x')
})
