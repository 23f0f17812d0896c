import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { deltaMs, parseDirectives } from './directives.ts'
import { parseHttpDate } from './http-date.ts'

const seed = 9111
const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/)
const quoted = fc.string({ unit: fc.constantFrom('a', ',', '=', '"', '\\', ' ', ';', '\t'), maxLength: 8 })
const argument = fc.oneof(
  fc.constant(['', '']),
  token.map(text => [`=${text}`, text]),
  quoted.map(text => [`="${text.replace(/["\\]/g, '\\$&')}"`, text]),
)
const separator = fc.constantFrom(',', ', ', ' ,\t', ',,', ' , ,')

describe('directives', () => {
  test('are read back whatever stands between and in them; the first of a name counts', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(token, argument, separator)), items => {
        const field = items.map(([name, [written], between]) => `${name}${written}${between}`).join('')
        const expected = new Map<string, string>()
        for (const [name, [, value = '']] of items) {
          if (!expected.has(name.toLowerCase())) expected.set(name.toLowerCase(), value)
        }
        expect([...parseDirectives(field)]).toEqual([...expected])
      }),
      { seed },
    )
  })

  test('of any text end, and never are more than its commas allow', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', 'B', ',', '=', '"', '\\', ' ', ';', '\t', '1', '\xe9'),
      maxLength: 40,
    })
    fc.assert(
      fc.property(text, field => {
        const { size } = parseDirectives(field)
        expect(size).toBeLessThanOrEqual(field.split(',').length)
      }),
      { seed, numRuns: 2_000 },
    )
  })

  test.each([',', ' ', ', ', '=,', 'a="'])('of hundreds of thousands of %j end soon', text => {
    expect(parseDirectives(text.repeat(300_000)).size).toBeLessThanOrEqual(1)
  })

  test.each([
    ['max-age=60', 60_000],
    ['max-age="60"', 60_000],
    ['MAX-AGE=60', 60_000],
    ['max-age=060', 60_000],
    ['max-age', 0],
    ['max-age=', 0],
    ['max-age=-1', 0],
    ['max-age=1.5', 0],
    ['max-age = 60', 0],
    ['x=",max-age=60"', undefined],
    ['x="\\",max-age=60,"', undefined],
    ['="", max-age=60', 60_000],
  ])('%s', (field, ms) => {
    expect(deltaMs(parseDirectives(field), 'max-age')).toBe(ms)
  })
})

describe('dates', () => {
  const known = Date.UTC(1994, 10, 6, 8, 49, 37)
  test.each([
    ['Sun, 06 Nov 1994 08:49:37 GMT', known],
    ['Sunday, 06-Nov-94 08:49:37 GMT', known],
    ['Sun Nov  6 08:49:37 1994', known],
    ['0', undefined],
    ['-1', undefined],
    ['1994-11-06T08:49:37Z', undefined],
    ['Sun, 06 Nov 1994 08:49:37 CET', undefined],
    ['Sun, 06 Foo 1994 08:49:37 GMT', undefined],
  ])('%s', (text, ms) => {
    expect(parseHttpDate(text)).toBe(ms)
  })
})
