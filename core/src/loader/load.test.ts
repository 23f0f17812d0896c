import { symlinkSync } from 'node:fs'
import { Module } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeEach, describe, expect, test } from 'vitest'
import { makeFolder, writeFiles } from '../../../test/support/folder.ts'
import type { Problem } from '../config/problem.ts'
import { GatewayError } from '../contract/errors.ts'
import { findConfigFile, type LoadedConfig, type LoadOptions, loadConfigFile } from './load.ts'

let folder: string

beforeEach(() => {
  folder = makeFolder()
})

const kernel = { '@gateway/core': { GatewayError, defineConfig: (config: unknown) => config } }

const write = (files: Readonly<Record<string, string>>) => writeFiles(folder, files)

async function load(name = 'gateway.config.ts', options: LoadOptions = {}): Promise<LoadedConfig> {
  const result = await loadConfigFile(join(folder, name), { kernel, ...options })
  if (!result.ok) throw new Error(`did not load: ${JSON.stringify(result.problems)}`)
  return result
}

async function problemsOf(name = 'gateway.config.ts', options: LoadOptions = {}): Promise<Problem[]> {
  const result = await loadConfigFile(join(folder, name), { kernel, ...options })
  if (result.ok) throw new Error('loaded, but should not have')
  return result.problems
}

/** Every case holds on the first load and on a later one. */
async function twice(name?: string): Promise<unknown> {
  const first = await load(name)
  const second = await load(name)
  expect(second.config).toEqual(first.config)
  return second.config
}

describe('what a config may use', () => {
  test('TypeScript, enums, JSON, top-level await, local files', async () => {
    write({
      'gateway.config.ts': `
        import { routes, Mode } from './lib/routes.ts'
        import limits from './limits.json' with { type: 'json' }
        const ready: boolean = await new Promise(resolve => setImmediate(() => resolve(true)))
        export default { routes, mode: Mode.Fast, limits, ready } satisfies object`,
      'lib/routes.ts': `import { path } from './path.js'
        export enum Mode { Slow, Fast = 'fast' }
        export const routes = { users: path('users') }`,
      'lib/path.ts': `export const path = (name: string) => '/' + name`,
      'limits.json': '{ "rate": 5 }',
    })
    expect(await twice()).toEqual({
      routes: { users: '/users' },
      mode: 'fast',
      limits: { rate: 5 },
      ready: true,
    })
    const { files, hashes } = await load()
    expect(files.map(file => file.slice(folder.length + 1)).sort()).toEqual([
      'gateway.config.ts',
      'lib/path.ts',
      'lib/routes.ts',
      'limits.json',
    ])
    expect(files[0]).toBe(join(folder, 'gateway.config.ts'))
    for (const file of files) expect(hashes.get(file)).toMatch(/=$/)
  })

  test('dynamic import of local files, packages and built-ins', async () => {
    write({
      'gateway.config.ts': `
        const { value } = await import('./late.ts')
        const esm = await import('esm-only')
        const { basename } = await import('node:path')
        const missing = await import('not-there').catch(() => 'absent')
        export default { value, esm: esm.answer, base: basename('/a/b'), missing }`,
      'late.ts': 'export const value = await Promise.resolve(7)',
      'node_modules/esm-only/package.json': '{"name":"esm-only","type":"module","exports":{"import":"./index.js"}}',
      'node_modules/esm-only/index.js': 'export const answer = 42',
    })
    expect(await twice()).toEqual({ value: 7, esm: 42, base: 'b', missing: 'absent' })
  })

  test('import.meta is that of each original module', async () => {
    write({
      'gateway.config.ts': `import { meta } from './lib/meta.ts'
        const url = import.meta.url
        export default { url, dirname: import.meta.dirname, meta, file: new URL('./x.json', import.meta.url).pathname }`,
      'lib/meta.ts': `export const meta = (() => ({ file: import.meta.filename, near: import.meta.resolve('./y.ts') }))()`,
    })
    expect(await twice()).toEqual({
      url: pathToFileURL(join(folder, 'gateway.config.ts')).href,
      dirname: folder,
      meta: { file: join(folder, 'lib/meta.ts'), near: pathToFileURL(join(folder, 'lib/y.ts')).href },
      file: join(folder, 'x.json'),
    })
  })

  test('CommonJS packages, by default, by name and by namespace', async () => {
    write({
      'gateway.config.ts': `import cjs, { one } from 'cjs'
        import * as all from 'cjs'
        import { createRequire } from 'node:module'
        export default { cjs: cjs.one, one, all: all.default.two, required: createRequire(import.meta.url)('cjs').two }`,
      'node_modules/cjs/package.json': '{"name":"cjs","main":"main.js"}',
      'node_modules/cjs/main.js': 'exports.one = 1; exports.two = 2',
    })
    expect(await twice()).toEqual({ cjs: 1, one: 1, all: 2, required: 2 })
  })

  test.each([
    ['gateway.config.mts', 'const a: number = 1; export default { a }'],
    ['gateway.config.js', 'const a = 1; export { a as b }; export default { a }'],
    ['gateway.config.mjs', 'const config = { a: 1 }; export { config as default }'],
    ['gateway.config.cts', 'const a: number = 1; module.exports = { a }'],
    ['gateway.config.cjs', 'module.exports = { a: require("node:path").join("1") === __filename ? 0 : 1 }'],
    ['gateway.config.ts', 'export default Promise.resolve({ a: 1 })'],
  ])('%s: %s', async (name, source) => {
    write({ [name]: source })
    expect(await twice(name)).toEqual({ a: 1 })
  })

  test('CommonJS files know their own names', async () => {
    write({
      'gateway.config.ts': `import { here, there } from './lib/old.cjs'\nexport default { here, there }`,
      'lib/old.cjs': 'exports.here = __filename; exports.there = require("./data.json").x + __dirname',
      'lib/data.json': '{ "x": "in " }',
    })
    expect(await twice()).toEqual({ here: join(folder, 'lib/old.cjs'), there: `in ${join(folder, 'lib')}` })
  })

  test('path aliases of a tsconfig', async () => {
    write({
      'tsconfig.json': JSON.stringify({ compilerOptions: { paths: { 'lib/*': ['./lib/*'] } } }),
      'gateway.config.ts': `import { aliased } from 'lib/aliased.ts'\nexport default { aliased }`,
      'lib/aliased.ts': 'export const aliased = true',
    })
    expect(await twice()).toEqual({ aliased: true })
  })
})

describe('what is loaded once and what is loaded anew', () => {
  test('local files and linked workspace packages anew, packages once, the kernel never', async () => {
    write({
      'app/gateway.config.ts': `import { GatewayError, defineConfig } from '@gateway/core'
        import { counter } from 'counter'
        import { version } from '@acme/routes'
        export default defineConfig({ counter, version, error: new GatewayError('GATEWAY_TIMEOUT', 'late') })`,
      'node_modules/counter/package.json': '{"name":"counter","type":"module","main":"./index.js"}',
      'node_modules/counter/index.js':
        'export const counter = { loaded: globalThis.gatewayTestLoads = (globalThis.gatewayTestLoads ?? 0) + 1 }',
      'packages/routes/package.json': '{"name":"@acme/routes","type":"module","exports":"./src/index.ts"}',
      'packages/routes/src/index.ts': 'export const version: number = 1',
      'node_modules/@acme/.keep': '',
    })
    symlinkSync('../../packages/routes', join(folder, 'node_modules/@acme/routes'))
    const first = await load('app/gateway.config.ts')
    write({ 'packages/routes/src/index.ts': 'export const version: number = 2' })
    const second = await load('app/gateway.config.ts')
    expect(first.config).toMatchObject({ version: 1, counter: { loaded: 1 } })
    expect(second.config).toMatchObject({ version: 2, counter: { loaded: 1 } })
    expect(second.files).toEqual([join(folder, 'app/gateway.config.ts'), join(folder, 'packages/routes/src/index.ts')])
    for (const { config } of [first, second]) {
      expect(config).toHaveProperty('error')
      if (typeof config === 'object' && config !== null && 'error' in config) {
        expect(config.error).toBeInstanceOf(GatewayError)
      }
    }
  })

  test('the kernel is not bundled, also when a config reaches into it by path', async () => {
    const errors = join(import.meta.dirname, '../contract/errors.ts')
    write({
      'gateway.config.ts': `import { GatewayError } from ${JSON.stringify(errors)}\nexport default { GatewayError }`,
    })
    const { config, files } = await load()
    expect(config).toEqual({ GatewayError })
    expect(files).toEqual([join(folder, 'gateway.config.ts')])
  })

  test('a folder without node_modules gets packages from the installation', async () => {
    write({ 'gateway.config.ts': `import { z } from 'zod'\nexport default { ok: z.string().safeParse('x').success }` })
    expect(await twice()).toEqual({ ok: true })
  })

  test('through a ConfigMap the logical paths are watched', async () => {
    write({
      '..v1/gateway.config.ts': `import { a } from './routes.ts'\nexport default { a }`,
      '..v1/routes.ts': 'export const a = 1',
    })
    symlinkSync('..v1', join(folder, '..data'))
    for (const name of ['gateway.config.ts', 'routes.ts']) symlinkSync(`..data/${name}`, join(folder, name))
    const { config, files } = await load()
    expect(config).toEqual({ a: 1 })
    expect(files).toEqual([join(folder, 'gateway.config.ts'), join(folder, 'routes.ts')])
  })
})

describe('what can be wrong', () => {
  const at = (line: number, column: number, name = 'gateway.config.ts') => ({ file: join(folder, name), line, column })

  test('a syntax error', async () => {
    write({ 'gateway.config.ts': `import './a.ts'\nexport default {}`, 'a.ts': `const ü = 'ü'; const x = = 1` })
    expect(await problemsOf()).toMatchObject([{ severity: 'error', code: 'CONFIG_SYNTAX', ...at(1, 26, 'a.ts') }])
  })

  test('imports that resolve to nothing, and where they might appear', async () => {
    write({ 'gateway.config.ts': `import './routes'\nimport 'no-such-package/sub'\nexport default {}` })
    const result = await loadConfigFile(join(folder, 'gateway.config.ts'))
    expect(result).toMatchObject({
      ok: false,
      problems: [
        { code: 'CONFIG_IMPORT_NOT_FOUND', ...at(1, 8) },
        { code: 'CONFIG_IMPORT_NOT_FOUND', ...at(2, 8) },
      ],
    })
    expect(result.files).toContain(join(folder, 'gateway.config.ts'))
    expect(result.files).toContain(join(folder, 'routes.ts'))
    expect(result.files).toContain(join(folder, 'routes/index.ts'))
    expect(result.files).toContain(join(folder, 'node_modules/no-such-package/package.json'))
    expect(result.hashes.get(join(folder, 'routes.ts'))).toBeUndefined()
  })

  test('a name that a module or package does not export', async () => {
    write({ 'gateway.config.ts': `import { joyn } from 'node:path'\nexport default { joyn }` })
    expect(await problemsOf()).toMatchObject([{ code: 'CONFIG_IMPORT_NOT_EXPORTED', ...at(1, 10) }])
  })

  test('a package that throws when it is imported', async () => {
    write({
      'gateway.config.ts': `import 'broken'\nexport default {}`,
      'node_modules/broken/package.json': '{"name":"broken","main":"./index.js"}',
      'node_modules/broken/index.js': 'throw new Error("no licence")',
    })
    const [problem] = await problemsOf()
    expect(problem).toMatchObject({ code: 'CONFIG_IMPORT_FAILED', ...at(1, 8) })
    expect(problem?.message).toContain('no licence')
  })

  test.each([
    ['thrown', `throw new TypeError('no port')`, 'TypeError: no port', { line: 3, column: 7 }],
    [
      'thrown after an await',
      `await null; throw new TypeError('no port')`,
      'TypeError: no port',
      { line: 3, column: 19 },
    ],
    ['thrown deeper', `JSON.parse('{')`, 'SyntaxError: ', { line: 3, column: 6 }],
    [
      'rejected and handled by nobody',
      `void Promise.reject(new Error('left'))`,
      'Error: left',
      { line: 3, column: 21 },
    ],
    [
      'rejected as the export',
      'export default Promise.reject(new Error("gone"))',
      'Error: gone',
      { line: 3, column: 31 },
    ],
    ['no error at all', `throw 'text'`, 'The config threw "text"', {}],
  ])('an error %s', async (_, statement, message, place) => {
    const end = statement.includes('export default') ? '' : '\nexport default {}'
    write({ 'gateway.config.ts': `type Long = {\n  text: string }\n${statement}${end}` })
    const [problem] = await problemsOf()
    expect(problem).toMatchObject({ code: 'CONFIG_THREW', file: join(folder, 'gateway.config.ts'), ...place })
    expect(problem?.message).toContain(message)
  })

  test('an error in a file that the config imports', async () => {
    write({
      'gateway.config.ts': `import { need } from './need.ts'\nexport default need(undefined)`,
      'need.ts': `interface Unused {}\nexport function need(value?: object) {\n  if (!value) throw new Error('needed')\n}`,
    })
    expect(await problemsOf()).toMatchObject([{ code: 'CONFIG_THREW', ...at(3, 21, 'need.ts') }])
  })

  test('no default export', async () => {
    write({ 'gateway.config.ts': 'export const config = {}' })
    const [problem] = await problemsOf()
    expect(problem).toMatchObject({
      code: 'CONFIG_NO_DEFAULT_EXPORT',
      message: 'The config exports config, but no default',
    })
  })

  test.each<[string, string, [number, number, string]]>([
    [
      'in the config',
      `const a = async () => await 1\n  await new Promise(() => {})\nexport default {}`,
      [2, 3, 'gateway.config.ts'],
    ],
    ['in a loop', `for await (const _ of [new Promise(() => {})]) {}\nexport default {}`, [1, 1, 'gateway.config.ts']],
    ['of the export', 'export default new Promise(() => {})', [1, 16, 'gateway.config.ts']],
    ['in a module', `import './hangs.ts'\nexport default {}`, [2, 7, 'hangs.ts']],
    ['in a package', `export const a = 1\nimport 'hangs'\nexport default {}`, [2, 1, 'gateway.config.ts']],
  ])('an await without end %s', async (_, source, place) => {
    write({
      'gateway.config.ts': source,
      'hangs.ts': `\nvoid (await new Promise(() => {}))`,
      'node_modules/hangs/package.json': '{"name":"hangs","type":"module","main":"./index.js"}',
      'node_modules/hangs/index.js': 'await new Promise(() => {})',
    })
    expect(await problemsOf('gateway.config.ts', { timeoutMs: 300 })).toMatchObject([
      { code: 'CONFIG_TIMEOUT', ...at(...place) },
    ])
  })

  test('no file, YAML, and formats that are none', async () => {
    write({ 'gateway.yaml': '', 'gateway.toml': '' })
    expect(await problemsOf('gateway.config.ts')).toMatchObject([{ code: 'CONFIG_NOT_FOUND' }])
    expect(await problemsOf('gateway.yaml')).toMatchObject([{ code: 'CONFIG_SYNTAX', message: 'is empty', line: 1 }])
    expect(await problemsOf('gateway.toml')).toMatchObject([{ code: 'CONFIG_FORMAT_UNKNOWN' }])
  })
})

describe('warnings', () => {
  test('what a config leaves open is named with its place', async () => {
    write({
      'gateway.config.ts': `import { start } from './start.ts'
        const timer = start()
        const onUsr = () => {}
        process.on('SIGUSR2', onUsr)
        export default { end() { clearInterval(timer); process.off('SIGUSR2', onUsr) } }`,
      'start.ts': 'export const start = () =>\n  setInterval(() => {}, 1000)',
    })
    const { warnings, config } = await load()
    expect(warnings).toMatchObject([
      { severity: 'warning', code: 'CONFIG_HOLDS_RESOURCE', file: join(folder, 'start.ts'), line: 2, column: 3 },
      { code: 'CONFIG_HOLDS_RESOURCE', file: join(folder, 'gateway.config.ts'), line: 4 },
    ])
    expect(warnings[0]?.message).toContain('A timer made')
    expect(warnings[1]?.message).toContain('"SIGUSR2"')
    if (typeof config === 'object' && config !== null && 'end' in config && typeof config.end === 'function')
      config.end()
  })

  test('what is over by then, or not of the config, is not', async () => {
    write({
      'gateway.config.ts': `import { setTimeout as sleep } from 'node:timers/promises'
        await sleep(1)
        clearTimeout(setTimeout(() => {}, 1000))
        const once = () => {}
        process.on('SIGUSR2', once)
        process.off('SIGUSR2', once)
        AbortSignal.timeout(5000)
        export default {}`,
    })
    const pending = load()
    const timers: NodeJS.Timeout[] = []
    const ticker = setInterval(() => timers.push(setTimeout(() => undefined, 5000)), 0)
    expect((await pending).warnings).toEqual([])
    clearInterval(ticker)
    for (const timer of timers) clearTimeout(timer)
  })

  test('a key written twice', async () => {
    write({ 'gateway.config.ts': `export default {\n  a: 1,\n  a: 2,\n}` })
    expect((await load()).warnings).toMatchObject([{ code: 'CONFIG_DUPLICATE_OBJECT_KEY', line: 3, column: 3 }])
  })
})

test('an error thrown later finds its source, until the config is disposed', async () => {
  write({ 'gateway.config.ts': `interface Unused {}\nexport default {\n  fail() { throw new Error('later') },\n}` })
  const result = await load()
  const { config } = result
  if (typeof config !== 'object' || config === null || !('fail' in config) || typeof config.fail !== 'function') {
    throw new Error('unexpected config')
  }
  let thrown: unknown
  try {
    config.fail()
  } catch (error) {
    thrown = error
  }
  expect(result.sourceOf(thrown)).toEqual({ file: join(folder, 'gateway.config.ts'), line: 3, column: 18 })
  result.dispose()
  expect(result.sourceOf(thrown)).toBeUndefined()
})

test('findConfigFile prefers TypeScript', () => {
  expect(findConfigFile(folder)).toBeUndefined()
  write({ 'gateway.yml': '' })
  expect(findConfigFile(folder)).toBe(join(folder, 'gateway.yml'))
  write({ 'gateway.config.mjs': '', 'gateway.config.ts': '' })
  expect(findConfigFile(folder)).toBe(join(folder, 'gateway.config.ts'))
})

const canCompile = (module: object): module is { _compile(...args: unknown[]): unknown } => '_compile' in module

test('the map, the compilation and the run of a config each have a turn of the event loop', async () => {
  const prototype: object = Module.prototype
  if (!canCompile(prototype)) throw new Error('Module#_compile is missing')
  const compile = prototype._compile
  const turns: number[] = []
  let turn = 0
  let counting = setImmediate(function count() {
    turn++
    counting = setImmediate(count)
  })
  const note = () => turns.push(turn)
  prototype._compile = function (...args) {
    note()
    return compile.apply(this, args)
  }
  process.once('gateway-test-run', note)
  try {
    write({ 'gateway.config.ts': `process.emit('gateway-test-run')\nexport default {}` })
    await load()
  } finally {
    clearImmediate(counting)
    prototype._compile = compile
    process.off('gateway-test-run', note)
  }
  expect(turns).toHaveLength(3)
  expect(new Set(turns).size).toBe(3)
})
