import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { makeFolder, writeFiles } from '../../../test/support/folder.ts'
import { locate } from './locate.ts'

let folder: string

beforeEach(() => {
  folder = makeFolder()
})

const write = (files: Readonly<Record<string, string>>) => writeFiles(folder, files)

/** What stands at the located place, up to the end of its line, with the file's name when it is another one. */
function at(path: (string | number)[], part?: 'key' | 'value', name = 'gateway.config.ts'): string | undefined {
  const place = locate(join(folder, name), path, part)
  if (place === undefined) return undefined
  const line = readFileSync(place.file, 'utf8').split('\n')[place.line - 1] ?? ''
  const file = place.file.slice(folder.length + 1)
  return `${file === name ? '' : `${file}: `}${line.slice(place.column - 1)}`
}

test('lines and columns are 1-based and count UTF-16 units', () => {
  write({ 'gateway.config.ts': `\nexport default {\n  'ü😀': { a: 1 } }` })
  const file = join(folder, 'gateway.config.ts')
  expect(locate(file, ['ü😀'], 'key')).toEqual({ file, line: 3, column: 3 })
  expect(locate(file, ['ü😀', 'a'])).toEqual({ file, line: 3, column: 15 })
  expect(locate(file, [])).toEqual({ file, line: 2, column: 16 })
})

describe('within one file', () => {
  test('keys and values, however they are written', () => {
    write({
      'gateway.config.ts': `
        const timeout = '10s'
        export default defineConfig({
          routes: {
            getUser: {
              match: 'GET /users/:id',
              "service": 'users',
              ['limit']: 5,
              timeout,
              jwt: { scopes: ['a',
                'b'] },
            },
          },
        } satisfies Config as const)`,
    })
    expect(at(['routes', 'getUser', 'match'])).toBe(`'GET /users/:id',`)
    expect(at(['routes', 'getUser', 'match'], 'key')).toBe(`match: 'GET /users/:id',`)
    expect(at(['routes', 'getUser', 'service'], 'key')).toBe(`"service": 'users',`)
    expect(at(['routes', 'getUser', 'limit'])).toBe('5,')
    expect(at(['routes', 'getUser', 'timeout'])).toBe('timeout,')
    expect(at(['routes', 'getUser', 'jwt', 'scopes', 1])).toBe(`'b'] },`)
    expect(at(['routes', 'getUser', 'jwt', 'scopes', 1], 'key')).toBe(`'b'] },`)
  })

  test('the deepest place when the path cannot be followed', () => {
    write({ 'gateway.config.ts': `export default {\n  routes: {\n    a: {\n b: compute() } } }` })
    expect(at(['routes', 'a', 'service'])).toBe('{')
    expect(at(['routes', 'a', 'b', 'c'], 'key')).toBe('compute() } } }')
    expect(at(['nothing'])).toBe('{')
  })

  test('plugins, their options, and arrays with spreads', () => {
    write({
      'gateway.config.ts': `
        const base = [cors(), ...more()]
        const fixed = [cors({ origins: 1 }), auth({ jwt: 2 })]
        export const gateway = defineGateway({
          plugins: [...fixed,
            rateLimit({ limit: 3 }),
            admin('/admin', { port: 4 }), ...base,
            late()],
        })
        export default gateway`,
    })
    expect(at(['plugins', 1])).toBe('auth({ jwt: 2 })]')
    expect(at(['plugins', 1, 'jwt'])).toBe('2 })]')
    expect(at(['plugins', 2])).toBe('rateLimit({ limit: 3 }),')
    expect(at(['plugins', 2, 'limit'])).toBe('3 }),')
    expect(at(['plugins', 3, 'port'], 'key')).toMatch(/^port: 4/)
    // Nobody can tell how many elements more() has.
    expect(at(['plugins', 5])).toMatch(/^\[\.\.\.fixed/)
  })

  test('spreads, of which the last wins, and members of other objects', () => {
    write({
      'gateway.config.ts': `
        const shared = { retry: { max: 1 }, limits: { rate: 2, burst: 3 } }
        const common = { rate: 9, ...shared.limits }
        export default {
          routes: { ...(enabled && { a: { x: 4 } }), ...(enabled ? { b: 5 } : { c: 6 }) },
          retry: shared['retry'],
          overridden: { ...common, rate: 7 },
          merged: { rate: 8, ...common },
        }`,
    })
    expect(at(['routes', 'a', 'x'])).toMatch(/^4 }/)
    expect(at(['routes', 'b'])).toMatch(/^5 }/)
    expect(at(['routes', 'c'])).toMatch(/^6 }/)
    expect(at(['retry', 'max'])).toMatch(/^1 }/)
    expect(at(['overridden', 'rate'])).toBe('7 },')
    expect(at(['merged', 'rate'])).toMatch(/^2, burst/)
    expect(at(['merged', 'burst'])).toMatch(/^3 }/)
  })

  test('functions that return a config, and calls of local functions', () => {
    write({
      'gateway.config.ts': `
        const route = (match: string) => ({ match, service: 'nowhere' })
        export default defineConfig(async () => {
          return { routes: { a: route('/a') } }
        })`,
    })
    expect(at(['routes', 'a', 'service'])).toBe(`'nowhere' })`)
  })
})

describe('across files', () => {
  test('named, default, namespace and passed-on exports', () => {
    write({
      'gateway.config.ts': `
        import users, { orders as renamed } from './routes/index.js'
        import * as services from './services'
        import { gateway } from './gateway.ts'
        export default defineConfig({
          routes: { ...gateway.routes(users), ...renamed, },
          services,
        })`,
      'gateway.ts': 'export const gateway = defineGateway({})',
      'routes/index.ts': `export { default } from './users.ts'\nexport * from './orders.ts'`,
      'routes/users.ts': `const routes = {\n  getUser: { service: 'users' } }\nexport default routes`,
      'routes/orders.ts': `export const orders = { getOrder: { timeout: 1 } }`,
      'services/index.ts': `const mine = { targets: [] }\nexport { mine as users }\nexport * as more from './more.ts'`,
      'services/more.ts': 'export const deep = { balance: 2 }',
    })
    expect(at(['routes', 'getUser', 'service'])).toBe(`routes/users.ts: 'users' } }`)
    expect(at(['routes', 'getUser'], 'key')).toBe(`routes/users.ts: getUser: { service: 'users' } }`)
    expect(at(['routes', 'getOrder', 'timeout'])).toBe('routes/orders.ts: 1 } }')
    expect(at(['services', 'users', 'targets'])).toBe('services/index.ts: [] }')
    expect(at(['services', 'more', 'deep', 'balance'])).toBe('services/more.ts: 2 }')
  })

  test('linked workspace packages are followed, installed packages are not', () => {
    write({
      'gateway.config.ts': `import { a } from '@acme/a'\nimport { b } from 'b'\nexport default { a, b }`,
      'packages/a/package.json': '{"name":"@acme/a","exports":"./src/index.ts"}',
      'packages/a/src/index.ts': 'export const a = { x: 1 }',
      'node_modules/b/package.json': '{"name":"b","main":"./b.js"}',
      'node_modules/b/b.js': 'exports.b = { x: 1 }',
      'node_modules/@acme/.keep': '',
    })
    symlinkSync('../../packages/a', join(folder, 'node_modules/@acme/a'))
    expect(at(['a', 'x'])).toBe('packages/a/src/index.ts: 1 }')
    expect(at(['b', 'x'])).toBe('b }')
  })

  test('an edited file is read again', () => {
    write({ 'gateway.config.ts': 'export default { a: 1 }' })
    expect(at(['a'])).toBe('1 }')
    write({ 'gateway.config.ts': 'export default {\n a: 2 }' })
    expect(at(['a'])).toBe('2 }')
  })
})

test.each([
  ['gateway.config.cjs', 'module.exports = { a: 1 }'],
  ['gateway.config.cts', 'export = { a: 1 }'],
  ['gateway.config.mjs', 'const config = { a: 1 }; export { config as default }'],
  ['gateway.config.mts', 'export default <Config>{ a: 1! }'],
])('%s: %s', (name, source) => {
  write({ [name]: source })
  expect(at(['a'], 'value', name)).toMatch(/^1/)
})

test.each([
  ['', 'an empty file'],
  ['export default {', 'a broken file'],
  ['const a = a; const b = { ...b, ...c }; const c = { ...b }; export default { a, b, c }', 'names in circles'],
  ['export default class {}', 'an odd export'],
  [`export * from './gateway.config.ts'`, 'a module that exports itself'],
  [`import self from './gateway.config.ts'\nexport { self as default }`, 'a module that imports itself'],
  ['const f = () => f(); export default f()', 'a function that calls itself'],
  [
    `const a0 = {}; ${Array.from({ length: 30 }, (_, i) => `const a${i + 1} = x ? a${i} : a${i};`).join('')} export default a30`,
    'branches without number',
  ],
])('never throws: %#', (source: string, _what: string) => {
  write({ 'gateway.config.ts': source })
  for (const part of ['key', 'value'] as const) {
    expect(() => locate(join(folder, 'gateway.config.ts'), ['a', 'b', 0], part)).not.toThrow()
  }
  expect(locate(join(folder, 'missing.ts'), ['a'])).toBeUndefined()
})
