import { expect, test } from 'vitest'
import { Secret, secret, toSecret } from './environment/secret.ts'
import { equal, snapshot } from './equal.ts'

class Point {
  readonly #x: number
  constructor(x: number) {
    this.#x = x
  }
  get x() {
    return this.#x
  }
}
const point = new Point(1)
const run = () => 1
const circle = () => {
  const made: Record<string, unknown> = {}
  made.self = made
  return made
}

test.each<[unknown, unknown, boolean]>([
  [{ a: [1, { b: 'x' }], c: undefined }, { c: undefined, a: [1, { b: 'x' }] }, true],
  [{ a: 1 }, { a: 1, b: undefined }, false],
  [{ a: undefined }, { b: undefined }, false],
  [[1, 2], [2, 1], false],
  [[], {}, false],
  [{}, null, false],
  [NaN, NaN, true],
  [0, -0, false],
  [/a/g, /a/g, true],
  [/a/g, /a/i, false],
  [new Date(1), new Date(1), true],
  [new Date(1), new Date(2), false],
  [new Uint8Array([1, 2]), Buffer.from([1, 2]), true],
  [new Uint8Array([1, 2]), new Uint8Array([1, 3]), false],
  [{ run }, { run }, true],
  [{ run: () => 1 }, { run: () => 1 }, false],
  [{ point }, { point }, true],
  [{ point: new Point(1) }, { point: new Point(1) }, false],
  [new Map([[1, 2]]), new Map([[1, 2]]), false],
  [JSON.parse('{"__proto__":1}'), {}, false],
  [JSON.parse('{"__proto__":1}'), JSON.parse('{"__proto__":1}'), true],
  [circle(), circle(), false],
  [toSecret('x'), toSecret('x'), true],
  [toSecret('x'), toSecret('y'), false],
  [secret('PATH'), secret('PATH'), true],
  [secret('PATH'), toSecret(process.env.PATH ?? ''), false],
  [new Secret('x', () => 'x'), new Secret('x', () => 'x'), false],
])('%o and %o: %s', (a, b, same) => {
  expect(equal(a, b)).toBe(same)
  expect(equal(b, a)).toBe(same)
})

test('a snapshot equals its value until that changes', () => {
  const value = { list: [{ a: 1 }], bytes: new Uint8Array([1]), when: new Date(1), run, point, pattern: /a/ }
  const copy = snapshot(value)
  expect(equal(copy, value)).toBe(true)
  const edits: (() => unknown)[] = [
    () => value.list.push({ a: 2 }),
    () => value.bytes.fill(2),
    () => value.when.setTime(2),
    () => Object.assign(value.list[0] ?? {}, { a: 3 }),
  ]
  for (const edit of edits) {
    const before = snapshot(value)
    edit()
    expect(equal(before, value)).toBe(false)
  }
  expect(equal(snapshot(JSON.parse('{"__proto__":{"a":1}}')), JSON.parse('{"__proto__":{"a":1}}'))).toBe(true)
  expect(() => snapshot(circle())).not.toThrow()
})
