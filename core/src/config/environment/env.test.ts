import { AsyncResource } from 'node:async_hooks'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ConfigProblems } from '../problem.ts'
import { env } from './env.ts'
import { collectReadings, isPlaceholder, type Readings } from './readings.ts'

afterEach(() => vi.unstubAllEnvs())

/** What is read, or what is said about it. */
function read<T>(text: string | undefined, get: () => T): T | string {
  vi.stubEnv('TRIED', text)
  try {
    return get()
  } catch (error) {
    if (!(error instanceof ConfigProblems)) throw error
    const [problem] = error.problems
    return [problem?.code, problem?.message, problem?.hint].filter(part => part !== undefined).join(' | ')
  }
}

const invalid = (rest: string) => `CONFIG_ENV_INVALID | the environment variable TRIED ${rest}`

describe('values', () => {
  test.each<[string, string, () => unknown, unknown]>([
    ['string', 'a b', () => env.string('TRIED'), 'a b'],
    ['one of', 'prod', () => env.string('TRIED', { oneOf: ['dev', 'prod'] }), 'prod'],
    [
      'none of',
      'prd',
      () => env.string('TRIED', { oneOf: ['dev', 'prod'] }),
      `${invalid('must be one of dev, prod, not "prd"')} | did you mean "prod"?`,
    ],
    ['number', '-1.5', () => env.number('TRIED'), -1.5],
    ['no number', '5x', () => env.number('TRIED'), invalid('must be a number, not "5x"')],
    ['blank', ' ', () => env.number('TRIED'), invalid('must be a number, not " "')],
    ['infinite', 'Infinity', () => env.number('TRIED'), invalid('must be a number, not "Infinity"')],
    [
      'out of bounds',
      '70000',
      () => env.number('TRIED', { integer: true, min: 0, max: 65_535 }),
      invalid('must be a whole number of at least 0 and at most 65535, not "70000"'),
    ],
    ['no integer', '1.5', () => env.number('TRIED', { integer: true }), invalid('must be a whole number, not "1.5"')],
    ['on', 'Yes', () => env.boolean('TRIED'), true],
    ['off', '0', () => env.boolean('TRIED', { default: true }), false],
    ['neither', '2', () => env.boolean('TRIED'), invalid('must be true or false, not "2"')],
    ['origin', 'HTTP://Example.com:80', () => env.url('TRIED'), 'http://example.com'],
    ['URL', 'https://a.test/b/', () => env.url('TRIED'), 'https://a.test/b/'],
    ['other protocol', 'redis://h:1', () => env.url('TRIED', { protocols: ['redis', 'rediss'] }), 'redis://h:1'],
    ['duration', '10s', () => env.duration('TRIED'), 10_000],
    ['no unit', '10', () => env.duration('TRIED'), invalid('must be a duration such as 10s or 1m, not "10"')],
    ['size', '16kb', () => env.size('TRIED'), 16_384],
    ['no size', '1s', () => env.size('TRIED'), invalid('must be a size such as 16kb or 10mb, not "1s"')],
  ])('%s: %s', (_what, text, get, expected) => {
    expect(read(text, get)).toEqual(expected)
  })

  test('a URL that is refused is not shown: it may hold a password', () => {
    for (const text of ['postgres://u:pa55@db/x', 'localhost:3000']) {
      expect(read(text, () => env.url('TRIED'))).toBe(invalid('must be a URL that begins with http: or https:'))
    }
  })
})

describe('missing', () => {
  test.each([undefined, ''])('%j: the default', text => {
    expect(read(text, () => env.string('TRIED', { default: 'x' }))).toBe('x')
    expect(read(text, () => env.number('TRIED', { default: 0 }))).toBe(0)
    expect(read(text, () => env.boolean('TRIED', { default: false }))).toBe(false)
    expect(read(text, () => env.duration('TRIED', { default: '1s' }))).toBe(1000)
    expect(read(text, () => env.size('TRIED', { default: '1kb' }))).toBe(1024)
    expect(read(text, () => env.url('TRIED', { default: 'http://a' }))).toBe('http://a')
  })

  test('without one it is thrown at once where no config is evaluated', () => {
    const hint = 'export TRIED=…, or give it a default'
    expect(read(undefined, () => env.string('TRIED'))).toBe(
      `CONFIG_ENV_MISSING | the environment variable TRIED is not set | ${hint}`,
    )
    expect(read('', () => env.number('TRIED'))).toBe(
      `CONFIG_ENV_MISSING | the environment variable TRIED is empty | ${hint}`,
    )
  })

  test('while one is evaluated all of them are collected, and placeholders stand in', async () => {
    vi.stubEnv('NUMBER', 'many')
    const readings: Readings = { variables: new Map(), faults: [] }
    let late = () => ''
    const values = await collectReadings(readings, async () => {
      const first = [env.string('A_1'), env.number('NUMBER')]
      await new Promise(resolve => setImmediate(resolve))
      late = AsyncResource.bind(() => env.string('LATE'))
      return [...first, `${env.url('B', { protocols: ['https'] })}/x`, env.duration('C'), env.boolean('D')]
    })
    expect(values.map(isPlaceholder)).toEqual([true, true, true, true, false])
    expect(new URL(String(values[2])).protocol).toBe('https:')
    expect(readings.faults.map(({ problem }) => problem.message.replace('the environment variable ', ''))).toEqual([
      'A_1 is not set',
      'NUMBER must be a number, not "many"',
      'B is not set',
      'C is not set',
      'D is not set',
    ])
    expect([...readings.variables.keys()]).toEqual(['A_1', 'NUMBER', 'B', 'C', 'D'])
    // A timer of the config that fires later is told at once.
    expect(late).toThrow(ConfigProblems)
  })

  test('a choice stands in for itself, so that code which depends on it goes on', async () => {
    const readings: Readings = { variables: new Map(), faults: [] }
    const table = { dev: 1, prod: 2 }
    const read = async () => table[env.string('STAGE', { oneOf: ['dev', 'prod'] })]
    expect(await collectReadings(readings, read)).toBe(1)
    expect(readings.faults).toHaveLength(1)
  })
})
