import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import type { Schema } from '../contract/schema.ts'
import { type Report, validate } from './issues.ts'
import type { Problem } from './problem.ts'

type Told = Omit<Problem, 'severity'>

function check(schema: Schema, value: unknown): { value?: unknown; problems: Told[] } {
  const problems: Told[] = []
  const report: Report = problem => problems.push(problem)
  const result = validate(schema, value, ['at'], report)
  return { ...(result === undefined ? {} : { value: result.value }), problems }
}

/** `path: message`, with the hint in brackets. */
const told = (schema: Schema, value: unknown) =>
  check(schema, value).problems.map(
    ({ path = [], message, hint }) => `${path.join('.')}: ${message}${hint === undefined ? '' : ` [${hint}]`}`,
  )

test('what passes comes out as the schema makes it', () => {
  const schema = z.strictObject({ a: z.string().default('x'), b: z.string().transform(Number) })
  expect(check(schema, { b: '5' })).toEqual({ value: { a: 'x', b: 5 }, problems: [] })
})

describe("zod's own words are put so that the place is their subject", () => {
  const shape = z.strictObject({ name: z.string(), kind: z.enum(['fast', 'slow']).optional() })
  test.each<[Schema, unknown, string[]]>([
    [z.string(), undefined, ['at: is missing: it must be a string']],
    [z.object({ a: z.string() }), undefined, ['at: is missing: it must be an object']],
    [z.string(), 5, ['at: must be a string, not 5']],
    [z.string(), null, ['at: must be a string, not null']],
    [z.string(), {}, ['at: must be a string, not an object']],
    [z.number(), 'secret', ['at: must be a number, not a string']],
    [z.number(), Number.NaN, ['at: must be a number, not NaN']],
    [z.int(), 3.5, ['at: must be a whole number, not 3.5']],
    [z.boolean(), 'yes', ['at: must be a boolean, not a string']],
    [z.array(z.string()), { 0: 'x' }, ['at: must be an array, not an object']],
    [z.record(z.string(), z.string()), [], ['at: must be an object, not an array']],
    [z.date(), 'x', ['at: must be a Date, not a string']],
    [z.instanceof(RegExp), 1, ['at: must be a RegExp, not 1']],
    [z.null(), 1, ['at: must be null, not 1']],
    [z.never(), 1, ['at: must be absent, not 1']],
    [z.number().min(5), 3, ['at: must be at least 5']],
    [z.number().gt(5), 5, ['at: must be more than 5']],
    [z.number().max(5), 8, ['at: must be at most 5']],
    [z.number().lt(5), 5, ['at: must be less than 5']],
    [z.string().min(3), 'ab', ['at: must have at least 3 characters']],
    [z.string().length(3), 'ab', ['at: must have exactly 3 characters']],
    [z.array(z.string()).min(2), [], ['at: must have at least 2 items']],
    [z.number().multipleOf(5), 3, ['at: must be a multiple of 5']],
    [z.string().startsWith('/'), 'x', ['at: must start with "/"']],
    [z.string().regex(/^a$/), 'x', ['at: must match pattern /^a$/']],
    [z.email(), 'x', ['at: is not a valid email address']],
    [z.url(), 'x', ['at: is not a valid URL']],
    [z.literal('on'), 'off', ['at: must be "on", not "off"']],
    [z.enum(['fast', 'slow']), 'fats', ['at: must be "fast" or "slow", not "fats" [did you mean "fast"?]']],
    [z.enum(['fast', 'slow']), 7, ['at: must be "fast" or "slow", not 7']],
    [z.enum(['fast', 'slow']), undefined, ['at: is missing: it must be "fast" or "slow"']],
    [z.literal([1, 2, 3]), 4, ['at: must be 1, 2 or 3, not 4']],
    [z.custom(() => false), 1, ['at: is not valid']],
    [z.custom(() => false, { error: 'must be prime' }), 1, ['at: must be prime']],
    [z.string({ error: 'must be said' }), undefined, ['at: must be said']],
    [z.string().optional().nonoptional(), undefined, ['at: is missing']],
    [shape, {}, ['at.name: is missing: it must be a string']],
    [shape, { name: 'x', kind: 'slwo' }, ['at.kind: must be "fast" or "slow", not "slwo" [did you mean "slow"?]']],
    [z.map(z.string(), z.number()), new Map([['a', 'b']]), ['at.a: must be a number, not a string']],
    [z.set(z.number()), new Set(['x']), ['at: must be a number, not an object']],
    [z.xor([z.string(), z.literal('a')]), 'a', ['at: fits several of the forms it may have: only one may fit']],
    [
      z.object({ a: z.string() }).and(z.object({ b: z.string() })),
      {},
      ['at.a: is missing: it must be a string', 'at.b: is missing: it must be a string'],
    ],
  ])('%#', (schema, value, expected) => {
    expect(told(schema, value)).toEqual(expected)
  })
})

test('a string is never shown: it may be a secret', () => {
  const schema = z.object({ password: z.string().min(20), number: z.number(), email: z.email() })
  const text = JSON.stringify(check(schema, { password: 'hunter2', number: 'hunter2', email: 'hunter2' }))
  expect(text).not.toContain('hunter2')
})

describe('unknown keys', () => {
  const inner = z.strictObject({ limit: z.number(), window: z.string() })
  test.each<[string, Schema, unknown, string[]]>([
    [
      'near one',
      inner,
      { limit: 1, windw: '1m', window: '' },
      ['at.windw: unknown key "windw" [did you mean "window"?]'],
    ],
    [
      'near none',
      inner,
      { limit: 1, window: '', colour: 1 },
      ['at.colour: unknown key "colour" [known: limit, window]'],
    ],
    [
      'several',
      inner,
      { limit: 1, window: '', a: 1, b: 2 },
      ['at.a: unknown key "a" [known: limit, window]', 'at.b: unknown key "b" [known: limit, window]'],
    ],
    [
      'below a key',
      z.object({ x: inner }),
      { x: { limit: 1, window: '', limti: 1 } },
      ['at.x.limti: unknown key "limti" [did you mean "limit"?]'],
    ],
    [
      'in an array',
      z.array(inner),
      [{ limit: 1, window: '', limti: 1 }],
      ['at.0.limti: unknown key "limti" [did you mean "limit"?]'],
    ],
    [
      'in a tuple',
      z.tuple([z.string(), inner]),
      ['x', { limit: 1, window: '', limti: 1 }],
      ['at.1.limti: unknown key "limti" [did you mean "limit"?]'],
    ],
    [
      'in a record',
      z.record(z.string(), inner),
      { k: { limit: 1, window: '', limti: 1 } },
      ['at.k.limti: unknown key "limti" [did you mean "limit"?]'],
    ],
    [
      'below wrappers',
      z.object({ x: inner.optional().default({ limit: 1, window: '' }).readonly() }),
      { x: { limit: 1, window: '', limti: 1 } },
      ['at.x.limti: unknown key "limti" [did you mean "limit"?]'],
    ],
    [
      'before a transform',
      inner.transform(value => value.limit),
      { limit: 1, window: '', limti: 1 },
      ['at.limti: unknown key "limti" [did you mean "limit"?]'],
    ],
    [
      'after a preprocessing',
      z.preprocess(value => value, inner),
      { limit: 1, window: '', limti: 1 },
      ['at.limti: unknown key "limti" [did you mean "limit"?]'],
    ],
    [
      'in what is lazy',
      z.lazy(() => inner),
      { limit: 1, window: '', limti: 1 },
      ['at.limti: unknown key "limti" [did you mean "limit"?]'],
    ],
    [
      'of an enumeration',
      z.partialRecord(z.enum(['red', 'green']), z.string()),
      { gren: 'x' },
      ['at.gren: unknown key "gren" [did you mean "green"?]'],
    ],
    [
      'named like what every object has',
      inner,
      { limit: 1, window: '', constructor: 1 },
      ['at.constructor: unknown key "constructor" [known: limit, window]'],
    ],
    [
      'named __proto__',
      inner,
      JSON.parse('{"limit":1,"window":"","__proto__":1}'),
      ['at.__proto__: unknown key "__proto__" [known: limit, window]'],
    ],
  ])('%s', (_name, schema, value, expected) => {
    expect(told(schema, value)).toEqual(expected)
  })
})

describe('unions say what was wrong with the form that was meant', () => {
  const fixed = z.strictObject({ to: z.string(), status: z.literal([301, 302]).optional() })
  const either = z.union([z.string().startsWith('/'), fixed], { error: 'must be a path or { to, status }' })
  const shapes = z.union([
    z.boolean(),
    // What is transformed stops zod at what is wrong with it.
    z.strictObject({ purge: z.strictObject({ token: z.string().transform(token => token) }) }),
    z.strictObject({ ttl: z.number().optional() }),
  ])
  const kinds = z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('file'), path: z.string() }),
    z.strictObject({ kind: z.literal('http'), url: z.string() }),
  ])
  test.each<[string, Schema, unknown, string[]]>([
    ['neither', either, 5, ['at: must be a path or { to, status }']],
    ['neither, in its own words', z.union([z.string(), fixed]), 5, ['at: is not valid']],
    ['the simple one', either, 'x', ['at: must start with "/"']],
    ['the object', either, { to: 5 }, ['at.to: must be a string, not 5']],
    [
      'a key of the object',
      either,
      { to: '/', statsu: 301 },
      ['at.statsu: unknown key "statsu" [did you mean "status"?]'],
    ],
    [
      'below another key',
      z.strictObject({ redirect: either, too: z.string().optional() }),
      { redirect: { to: '/', tow: 1 } },
      ['at.redirect.tow: unknown key "tow" [did you mean "to"?]'],
    ],
    ['in an array', z.array(either), ['/', { to: 5 }], ['at.1.to: must be a string, not 5']],
    ['a union in a union', z.union([either, z.boolean()]), { to: 5 }, ['at.to: must be a string, not 5']],
    ['one shape of several', shapes, { ttl: 'x' }, ['at.ttl: must be a number, not a string']],
    [
      'the shape that knows the key, though another was read to its end',
      shapes,
      { purge: { tokn: 'x' } },
      ['at.purge.token: is missing: it must be a string', 'at.purge.tokn: unknown key "tokn" [did you mean "token"?]'],
    ],
    [
      'the same with a key that belongs to neither',
      shapes,
      { purge: { token: 1 }, ttll: 1 },
      ['at.purge.token: must be a string, not 1', 'at.ttll: unknown key "ttll" [known: purge]'],
    ],
    ['keys of two shapes', shapes, { purge: 1, ttl: 1 }, ['at.purge: unknown key "purge" [known: purge, ttl]']],
    ['an unknown kind', kinds, { kind: 'htpt' }, ["at.kind: must be 'file' or 'http'"]],
    [
      'a kind with a wrong key',
      kinds,
      { kind: 'http', url: '', paht: '' },
      ['at.paht: unknown key "paht" [did you mean "path"?]'],
    ],
    ['a kind with a missing key', kinds, { kind: 'http' }, ['at.url: is missing: it must be a string']],
  ])('%s', (_name, schema, value, expected) => {
    expect(told(schema, value)).toEqual(expected)
  })
})

describe('other implementations of Standard Schema', () => {
  const answering = (issues: unknown, extra: object = {}): Schema =>
    ({ '~standard': { version: 1, vendor: 'by-hand', validate: () => ({ issues, ...extra }) } }) as never

  test('their messages and paths are taken as they are', () => {
    const symbol = Symbol('s')
    const schema = answering([
      { message: 'Expected string' },
      { message: 'too deep', path: ['a', 0, { key: 'b' }, symbol] },
      { message: 'with a code of its own', code: 'unrecognized_keys', path: ['x'] },
    ])
    expect(check(schema, {}).problems).toEqual([
      { code: 'CONFIG_INVALID_VALUE', message: 'Expected string', path: ['at'] },
      { code: 'CONFIG_INVALID_VALUE', message: 'too deep', path: ['at', 'a', 0, 'b', 'Symbol(s)'] },
      { code: 'CONFIG_INVALID_VALUE', message: 'with a code of its own', path: ['at', 'x'] },
    ])
  })

  test('a value is passed on', () => {
    expect(check(answering(undefined, { value: 7 }), 5)).toEqual({ value: 7, problems: [] })
  })

  test('a failure without an issue is a failure', () => {
    expect(told(answering([]), 1)).toEqual(['at: is not valid'])
  })

  test('a validator that is a function, as arktype has it', () => {
    const schema = Object.assign(() => {}, answering([{ message: 'no' }]))
    expect(told(schema, 1)).toEqual(['at: no'])
  })

  test('one that throws is a problem, not a crash', () => {
    const thrown = (error: unknown): Schema => ({
      '~standard': {
        version: 1,
        vendor: 'by-hand',
        validate: () => {
          throw error
        },
      },
    })
    expect(told(thrown(new Error('boom')), 1)).toEqual(['at: could not be checked, its schema threw: boom'])
    expect(told(thrown(null), 1)).toEqual(['at: could not be checked, its schema threw: null'])
  })

  test('one that answers with nothing is a problem, not a crash', () => {
    expect(check(answering(null), 1).problems.length).toBeGreaterThan(0)
    const nothing = { '~standard': { version: 1, vendor: 'x', validate: () => undefined } } as never
    expect(check(nothing, 1).problems).toHaveLength(1)
  })
})

describe('a schema that does not answer at once is refused', () => {
  const message = 'is checked by a schema that is asynchronous, or that threw: it must answer at once'
  test.each<[string, Schema]>([
    ['asynchronous, resolved', z.string().refine(async () => true)],
    ['asynchronous, with a complaint', z.string().refine(async () => false)],
    [
      'a check that throws',
      z.string().refine(() => {
        throw new Error('boom')
      }),
    ],
  ])('%s', async (_name, schema) => {
    expect(check(schema, 'x')).toEqual({ problems: [{ code: 'CONFIG_ASYNC_SCHEMA', message, path: ['at'] }] })
    // An unhandled rejection would show by the next turn, and fail the run.
    await new Promise(resolve => setImmediate(resolve))
  })
})
