import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { makeFolder, writeFiles } from '../../../test/support/folder.ts'
import type { Problem } from '../config/problem.ts'
import * as core from '../index.ts'
import { type LoadResult, loadConfigFile } from './load.ts'

let folder: string

beforeEach(() => {
  folder = makeFolder()
})
afterEach(() => void vi.unstubAllEnvs())

const kernel = { '@gateway/core': core }

const write = (files: Readonly<Record<string, string>>) => writeFiles(folder, files)

function load(text: string, envFile?: string): Promise<LoadResult> {
  write({
    'gateway.config.ts': `import { defineConfig, definePlugin, env, secret, secretText } from '@gateway/core'\n${text}`,
  })
  return loadConfigFile(join(folder, 'gateway.config.ts'), { kernel, envFile: envFile && join(folder, envFile) })
}

async function loaded(text: string, envFile?: string) {
  const result = await load(text, envFile)
  if (!result.ok) throw new Error(JSON.stringify(result.problems))
  return result
}

/** `file:line CODE what` of each. */
async function problemsOf(text: string, envFile?: string): Promise<string[]> {
  const result = await load(text, envFile)
  if (result.ok) throw new Error('it was loaded')
  return result.problems.map(({ file, line, code, message, path }: Problem) => {
    const place = file === undefined ? (path?.join('.') ?? '') : `${file.slice(folder.length + 1)}:${line}`
    return `${place} ${code} ${/(?:variable|file) (\S+)/.exec(message)?.[1] ?? message}`
  })
}

const routes = `routes: { a: { match: 'GET /', reply: { status: 200 } } }`

describe('what is missing is reported', () => {
  test('all at once, at its line in whichever file, with the other problems of the config and none of its own making', async () => {
    vi.stubEnv('BAD', 'x')
    write({
      'settings.ts': `import { env } from '@gateway/core'\n\nexport const port =\n  env.number('PORT_A')\n`,
      'empty.key': '\n',
    })
    const problems = await problemsOf(`import { port } from './settings.ts'
const p = definePlugin({ name: 'p', options: { '~standard': { version: 1, vendor: 'test', validate: value =>
  ({ issues: [{ message: 'no', path: ['token'] }, { message: 'no', path: ['other'] }] }) } } as never })
const read = (name: string) => secret(name)
export default defineConfig({
  listen: [{ port: env.number('PORT_B') }, { port, limits: { headSize: env.size('BAD') }, tls: { cert: 'nowhere.pem', key: secret.file('${folder}/empty.key') } }],
  plugins: [p({ token: read('TOKEN'), other: 1 } as never)],
  services: { s: { targets: [env.url('URL_A'), { url: env.string('TARGET') }] }, t: { targets: ['http://t'] } },
  routes: {
    one: { match: \`GET /\${env.string('PREFIX')}//x\` as 'GET /', service: env.string('SERVICE') as 's' },
    old: { match: 'GET /old', redirect: { to: '/', status: env.number('STATUS') as 301 } },
    two: { match: 'GET /two', service: 'nowhere' as 's', timeout: { head: env.duration('WAIT') } },
  },
})`)
    expect(problems).toEqual([
      'settings.ts:4 CONFIG_ENV_MISSING PORT_A',
      'gateway.config.ts:7 CONFIG_ENV_MISSING PORT_B',
      'gateway.config.ts:7 CONFIG_ENV_INVALID BAD',
      `gateway.config.ts:7 CONFIG_SECRET_FILE ${folder}/empty.key:`,
      'gateway.config.ts:5 CONFIG_ENV_MISSING TOKEN',
      'gateway.config.ts:9 CONFIG_ENV_MISSING URL_A',
      'gateway.config.ts:9 CONFIG_ENV_MISSING TARGET',
      'gateway.config.ts:11 CONFIG_ENV_MISSING PREFIX',
      'gateway.config.ts:11 CONFIG_ENV_MISSING SERVICE',
      'gateway.config.ts:12 CONFIG_ENV_MISSING STATUS',
      'gateway.config.ts:13 CONFIG_ENV_MISSING WAIT',
      'listen.1.tls.cert CONFIG_CERTIFICATE cannot read nowhere.pem: there is no such file',
      'plugins.0.other CONFIG_INVALID_VALUE no',
      'routes.two.service CONFIG_UNKNOWN_SERVICE there is no service "nowhere"',
    ])
  })

  test('with what the config throws, unless it throws at the placeholder', async () => {
    expect(await problemsOf(`env.string('A')\nthrow new Error('odd')`)).toEqual([
      'gateway.config.ts:2 CONFIG_ENV_MISSING A',
      'gateway.config.ts:3 CONFIG_THREW Error: odd',
    ])
    expect(await problemsOf(`export default JSON.parse(env.string('A'))`)).toEqual([
      'gateway.config.ts:2 CONFIG_ENV_MISSING A',
    ])
  })

  test('of two configs evaluated at the same time each hears of its own', async () => {
    write({ 'b.config.ts': `import { env } from '@gateway/core'\nawait 0\nenv.string('B')\nexport default {}` })
    const [a, b] = await Promise.all([
      problemsOf(`await new Promise(resolve => setTimeout(resolve, 5))\nenv.string('A')\nexport default {}`),
      loadConfigFile(join(folder, 'b.config.ts'), { kernel }),
    ])
    expect(a).toContain('gateway.config.ts:3 CONFIG_ENV_MISSING A')
    expect(a.join()).not.toContain('CONFIG_ENV_MISSING B')
    expect(b).toMatchObject({ ok: false, problems: [{ line: 3, code: 'CONFIG_ENV_MISSING' }, {}] })
  })
})

test('the variables that a config asks for are known, by hashes of what they hold', async () => {
  vi.stubEnv('SET_A', 'one')
  const text = `export default { a: env.string('SET_A'), b: env.number('NOT_SET', { default: 1 }), c: secret('SET_A') }`
  const first = await loaded(text)
  expect([...first.variables.keys()]).toEqual(['SET_A', 'NOT_SET'])
  expect(first.variables.get('NOT_SET')).toBeUndefined()
  expect((await loaded(text)).variables).toEqual(first.variables)
  expect(JSON.stringify([...first.variables])).not.toContain('one')
  vi.stubEnv('SET_A', 'two')
  expect((await loaded(text)).variables).not.toEqual(first.variables)
})

test('what the bundler is started with is not in the environment of the config', async () => {
  const names = ['GOGC', 'GOMEMLIMIT']
  const given = names.map(name => process.env[name])
  const text = `export default { seen: ${JSON.stringify(names)}.map(name => process.env[name]) }`
  expect((await loaded(text)).config).toEqual({ seen: given })
  expect(names.map(name => process.env[name])).toEqual(given)
})

test('a secret file is watched only for as long as it keeps the config out', async () => {
  const file = join(folder, 'token')
  const text = `export default { token: secret.file('${file}'), ${routes} }`
  const missing = await load(text)
  expect(missing.ok).toBe(false)
  expect(missing.hashes.has(file) && missing.hashes.get(file) === undefined).toBe(true)
  write({ token: '' })
  // With the hash of what it holds, or the watcher would take it for changed.
  expect((await load(text)).hashes.get(file)).toBeTypeOf('string')
  write({ token: 'x' })
  expect((await loaded(text)).files).not.toContain(file)
})

describe('a .env file', () => {
  const text = `export default { a: env.string('FILE_A', { default: '-' }), b: env.string('FILE_B', { default: '-' }) }`

  test('is read anew at each load, below what was set already, and watched', async () => {
    vi.stubEnv('FILE_B', 'real')
    write({ '.env': `# a comment\nFILE_A='one two'\nFILE_B=file\n` })
    const first = await loaded(text, '.env')
    expect(first.config).toEqual({ a: 'one two', b: 'real' })
    expect(first.files).toContain(join(folder, '.env'))
    expect(process.env.FILE_A).toBe('one two')
    write({ '.env': 'FILE_A=three' })
    const second = await loaded(text, '.env')
    expect(second.config).toEqual({ a: 'three', b: 'real' })
    expect(second.variables).not.toEqual(first.variables)
    write({ '.env': '' })
    expect((await loaded(text, '.env')).config).toEqual({ a: '-', b: 'real' })
  })

  test('that cannot be read is a problem, and leaves the environment alone', async () => {
    write({ '.env': 'FILE_A=one' })
    await loaded(text, '.env')
    rmSync(join(folder, '.env'))
    const result = await load(text, '.env')
    expect(result).toMatchObject({
      ok: false,
      problems: [{ code: 'CONFIG_ENV_FILE', message: expect.stringContaining('there is no such file') }],
    })
    expect(result.files).toContain(join(folder, '.env'))
    expect(process.env.FILE_A).toBe('one')
    write({ '.env': '' })
    await loaded(text, '.env')
    expect(process.env.FILE_A).toBeUndefined()
  })
})
