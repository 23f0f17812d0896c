import { chmodSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { makeFolder, writeFiles } from '../../../test/support/folder.ts'
import { parseDiagnostics, typecheck } from './typecheck.ts'

let folder: string

beforeEach(() => {
  folder = makeFolder()
})

const write = (files: Readonly<Record<string, string>>) => writeFiles(folder, files)

const at = (line: number, column: number, name = 'gateway.config.ts') => ({ file: join(folder, name), line, column })
const check = (name = 'gateway.config.ts', options = {}) => typecheck(join(folder, name), options)

/** What a check leaves in the cache besides the build info. */
const leftIn = () =>
  readdirSync(join(folder, 'node_modules/.cache/gateway')).filter(name => !name.endsWith('.tsbuildinfo'))

const fakeKernel = {
  'node_modules/@gateway/core/package.json': '{"name":"@gateway/core","type":"module","exports":"./index.ts"}',
  'node_modules/@gateway/core/index.ts': `export const defineConfig = (config: { port: number }) => config\nconst broken: number = ''`,
}

describe('a folder with nothing in it but the config', () => {
  test('gets the kernel, the packages and the types of the installation', async () => {
    write({
      'gateway.config.ts': `import { basename } from 'node:path'
import { GatewayError } from '@gateway/core'
import { z } from 'zod'
import { x } from './lib/x.ts'
export default { e: new GatewayError('GATEWAY_TIMEOUT', 'late'), s: z.string(), b: basename('x'), f: fetch, x }`,
      'lib/x.ts': 'export const x = process.version',
    })
    expect(await check()).toEqual([])
  })

  test('is checked strictly, through its local files', async () => {
    write({
      'gateway.config.ts': `import { x } from './lib/x.ts'
import { GatewayError } from '@gateway/core'
export default { x, e: new GatewayError(5, 'late') }`,
      'lib/x.ts': `export const x = (any) => any
export const deep: { a: { b: number } } = { a: { b: 'text' } }
export const call: (f: () => { a: number }) => void = (f: () => { a: string }) => undefined`,
    })
    const problems = await check()
    expect(problems).toMatchObject([
      { severity: 'error', code: 'TS2345', ...at(3, 41) },
      { severity: 'error', code: 'TS7006', ...at(1, 19, 'lib/x.ts') },
      { severity: 'error', code: 'TS2322', ...at(2, 50, 'lib/x.ts') },
      { severity: 'error', code: 'TS2322', ...at(3, 14, 'lib/x.ts') },
    ])
    expect(problems[3]?.message.split('\n').length).toBeGreaterThan(1)
    expect(readdirSync(folder).sort()).toEqual(['gateway.config.ts', 'lib'])
  })

  test('a config that is not TypeScript is not held to its types', async () => {
    write({ 'gateway.config.mjs': 'export default (x) => x.y', 'gateway.yaml': 'a: 1' })
    expect(await check('gateway.config.mjs')).toEqual([])
    expect(await check('gateway.yaml')).toEqual([])
  })
})

describe('a project', () => {
  test('its own packages come first, and their problems are not reported', async () => {
    write({
      ...fakeKernel,
      'app/gateway.config.ts': `import { defineConfig } from '@gateway/core'\nexport default defineConfig({ port: '80' })`,
    })
    expect(await check('app/gateway.config.ts')).toMatchObject([
      { code: 'TS2322', ...at(2, 31, 'app/gateway.config.ts') },
    ])
    expect(leftIn()).toEqual([])
  })

  test('its compiler options hold, except those about emitting', async () => {
    write({
      ...fakeKernel,
      'node_modules/@types/special/index.d.ts': 'declare const special: number',
      'tsconfig.json': JSON.stringify({
        compilerOptions: {
          ...{ module: 'nodenext', strict: false, types: ['special'], paths: { 'lib/*': ['./lib/*'] } },
          ...{ composite: true, rootDir: './src', outDir: 'dist', declarationMap: true, isolatedDeclarations: true },
        },
        include: ['src'],
      }),
      'gateway.config.ts': `import { y } from 'lib/y.ts'\nexport default { f: (x) => x, special, y, wrong: y.z }`,
      'lib/y.ts': 'export const y = {}',
      'src/unrelated.ts': 'const wrong: number = ""',
    })
    expect(await check()).toMatchObject([{ code: 'TS2339', ...at(2, 52) }])
  })

  test('a workspace package is part of the graph', async () => {
    write({
      ...fakeKernel,
      'gateway.config.ts': `import { a } from '@acme/a'\nexport default { a }`,
      'packages/a/package.json': '{"name":"@acme/a","type":"module","exports":"./index.ts"}',
      'packages/a/index.ts': `export const a: number = ''`,
      'node_modules/@acme/.keep': '',
    })
    symlinkSync('../../packages/a', join(folder, 'node_modules/@acme/a'))
    expect(await check()).toMatchObject([{ code: 'TS2322', ...at(1, 14, 'packages/a/index.ts') }])
  })

  test('a fault in its tsconfig is a warning that names it', async () => {
    write({
      ...fakeKernel,
      'tsconfig.json': '{ "compilerOptions": {\n  "module": "nonsense" } }',
      'gateway.config.ts': 'export default {}',
    })
    const problems = await check()
    expect(problems[0]).toMatchObject({ severity: 'warning', code: 'TS6046', ...at(2, 13, 'tsconfig.json') })
    expect(problems.every(({ severity }) => severity === 'warning')).toBe(true)
  })

  test('each check sees what changed, whatever became of the build info', async () => {
    const cache = join(folder, 'node_modules/.cache/gateway')
    write({ ...fakeKernel, 'gateway.config.ts': `export const a: number = ''\nexport default {}` })
    const first = await check()
    expect(first).toMatchObject([{ code: 'TS2322', ...at(1, 14) }])
    expect(await check()).toEqual(first)
    expect(await check('gateway.config.ts', { incremental: false })).toEqual(first)
    const [info = ''] = readdirSync(cache)
    for (const broken of ['{"version":"7.', 'null', '']) {
      writeFileSync(join(cache, info), broken)
      expect(await check()).toEqual(first)
    }
    write({ 'gateway.config.ts': `export const a: number = 1\nexport default {}` })
    expect(await check()).toEqual([])
  })
})

describe('a compiler that fails', () => {
  /** A TypeScript whose compiler is this script. */
  const compiler = (script: string) => ({
    'node_modules/typescript/package.json': '{"name":"typescript","version":"5.9.0"}',
    'node_modules/typescript/bin/tsc': script,
  })

  test.each([
    ['with an exit code', 'console.error("panic: out of luck\\n  at x"); process.exit(3)', 'panic: out of luck'],
    ['with nothing to show', 'process.exit(1)', 'TypeScript ended with code 1'],
    ['by a signal', 'process.kill(process.pid, "SIGKILL")', 'TypeScript ended with code null'],
  ])('%s is a warning', async (_, script, why) => {
    write({ ...compiler(script), 'gateway.config.ts': 'export default {}' })
    expect(await check()).toEqual([
      {
        severity: 'warning',
        code: 'CONFIG_TYPECHECK_UNAVAILABLE',
        message: `The config's types were not checked: ${why}`,
        file: join(folder, 'gateway.config.ts'),
      },
    ])
  })

  test('a signal kills it', async () => {
    write({ ...compiler('setInterval(() => {}, 1000)'), 'gateway.config.ts': 'export default {}' })
    const abort = new AbortController()
    const checking = check('gateway.config.ts', { signal: abort.signal })
    abort.abort(new Error('a newer save'))
    await expect(checking).rejects.toThrow('a newer save')
    await expect(check('gateway.config.ts', { signal: abort.signal })).rejects.toThrow('a newer save')
    expect(leftIn()).toEqual([])
  })

  test('node_modules that cannot be written to are no obstacle', async () => {
    write({ ...fakeKernel, 'gateway.config.ts': `export const a: number = ''\nexport default {}` })
    // A file where the folder would go stops root as well, whom permissions do not.
    writeFileSync(join(folder, 'node_modules/.cache'), '')
    chmodSync(join(folder, 'node_modules'), 0o555)
    expect(await check()).toMatchObject([{ code: 'TS2322' }])
    chmodSync(join(folder, 'node_modules'), 0o755)
  })
})

test('diagnostics in all their forms', () => {
  const output = [
    `a (1).ts(3,14): error TS2322: Type 'A' is not assignable to type 'B'.`,
    `  Types of property 'x' are incompatible.`,
    `    Type 'string' is not assignable to type 'number'.`,
    '',
    '/abs/b.ts(1,1): error TS1005: expected.',
    `error TS18003: No inputs were found.`,
    'noise',
  ].join('\n')
  expect(parseDiagnostics(output, '/p')).toEqual([
    {
      ...{ severity: 'error', code: 'TS2322', file: '/p/a (1).ts', line: 3, column: 14 },
      message: `Type 'A' is not assignable to type 'B'.\n  Types of property 'x' are incompatible.\n    Type 'string' is not assignable to type 'number'.`,
    },
    { severity: 'error', code: 'TS1005', message: 'expected.', file: '/abs/b.ts', line: 1, column: 1 },
    { severity: 'error', code: 'TS18003', message: 'No inputs were found.' },
  ])
})
