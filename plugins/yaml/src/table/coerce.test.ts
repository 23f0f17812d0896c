import { expect, test } from 'vitest'
import { Problems } from '../problems.ts'
import type { Node } from '../read/node.ts'
import { parseYaml } from '../read/parse.ts'
import { toData, toFlag, toInteger, toNumber, toText } from './coerce.ts'

function scalar(text: string): Node {
  const variable = (name: string) => (name === 'PORT' ? '8080' : undefined)
  const node = parseYaml('/a.yaml', text, { problems: new Problems(), variable })
  if (node === undefined) throw new Error('it does not parse')
  return node
}

test.each([
  ['8080', 8080],
  ['0x1F', 31],
  ['0o17', 15],
  ['017', 15],
  ['1_000', 1000],
  ['-3', -3],
  ['+3', 3],
  ['3.9', 3],
  ['-3.9', -3],
  ['1e3', 1000],
  ['"8080"', undefined],
  ['30s', undefined],
  ['true', undefined],
  ['1e30', undefined],
  ['.inf', undefined],
  ['!!str 8080', undefined],
  // A variable has no type of its own.
  [`\${PORT}`, 8080],
  [`"\${PORT}"`, 8080],
])('as a whole number %s is %s', (text, value) => expect(toInteger(scalar(text))).toBe(value))

test.each([
  ['0.5', 0.5],
  ['1', 1],
  ['.5', 0.5],
  ['08', 8],
  ['x', undefined],
])('as a number %s is %s', (text, value) => expect(toNumber(scalar(text))).toBe(value))

test.each([
  ['true', true],
  ['Yes', true],
  ['on', true],
  ['n', false],
  ['OFF', false],
  ['"true"', undefined],
  ['1', undefined],
  ['yEs', undefined],
])('as a flag %s is %s', (text, value) => expect(toFlag(scalar(text))).toBe(value))

test.each([
  ['1.0.0', '1.0.0'],
  ['1.0', '1.0'],
  ['0x1F', '0x1F'],
  ['true', 'true'],
  ['2024-01-01', '2024-01-01'],
  ['|\n  a\n  b\n', 'a\nb\n'],
  ['a\n b', 'a b'],
  ['[a]', undefined],
])('as a text %s is %s', (text, value) => expect(toText(scalar(text))).toBe(value))

test('as plain data a node is what YAML 1.2 says', () => {
  expect(toData(scalar('{a: [1, "1", yes, true, ~, 1.5], b: {c: x}}'))).toEqual({
    a: [1, '1', 'yes', true, null, 1.5],
    b: { c: 'x' },
  })
})
