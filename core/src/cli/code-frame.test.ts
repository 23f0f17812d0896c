import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { codeFrame } from './code-frame.ts'

const source = 'one\n\ttwo three\nfour\nfive'

test('shows three lines and a caret that respects tabs', () => {
  expect(codeFrame(source, 2, 6)).toBe('  1 | one\n> 2 | \ttwo three\n    | \t    ^\n  3 | four')
})

test('at the edges, in colour, and past the end', () => {
  expect(codeFrame(source, 1, 1)).toBe('> 1 | one\n    | ^\n  2 | \ttwo three')
  expect(codeFrame(source, 4, 5)).toBe('  3 | four\n> 4 | five\n    |     ^')
  const colored = codeFrame(source, 2, 6, { color: true })
  expect(colored).not.toBe(stripVTControlCharacters(colored))
  expect(codeFrame(source, 9, 1)).toBe('')
})
