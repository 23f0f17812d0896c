import { expect, test } from 'vitest'
import { Fields } from '../http1/fields.ts'
import { applyFieldRules, compileFieldRules } from './field-rules.ts'

function applied(rules: Parameters<typeof compileFieldRules>[0], list: readonly string[]): [string, string][] {
  const fields = Fields.from(list)
  const compiled = compileFieldRules(rules)
  if (compiled !== undefined) applyFieldRules(fields, compiled)
  return [...fields]
}

test('no rules, nothing to apply', () => {
  expect(compileFieldRules(undefined)).toBeUndefined()
  expect(applied({}, ['A', '1'])).toEqual([['A', '1']])
})

test('remove takes every line of the name, whatever its case', () => {
  expect(applied({ remove: ['x-a'] }, ['X-A', '1', 'B', '2', 'x-a', '3'])).toEqual([['B', '2']])
})

test('set replaces every line, append adds one', () => {
  const rules = { set: { A: 'new' }, append: { B: 'more' } }
  expect(applied(rules, ['a', '1', 'A', '2', 'B', '3'])).toEqual([
    ['B', '3'],
    ['A', 'new'],
    ['B', 'more'],
  ])
})

test('remove comes before set, and set before append', () => {
  const rules = { append: { A: 'third' }, set: { A: 'second' }, remove: ['A'] }
  expect(applied(rules, ['A', 'first'])).toEqual([
    ['A', 'second'],
    ['A', 'third'],
  ])
})

test.each([
  [{ set: { HOST: 'a' } }, true],
  [{ set: { Hostess: 'a' }, append: { Host: 'b' }, remove: ['Host'] }, false],
])('of %j it is known whether Host is set', (rules, setsHost) => {
  expect(compileFieldRules(rules)?.setsHost).toBe(setsHost)
})
