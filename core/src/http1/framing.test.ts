import { expect, test } from 'vitest'
import { Fields } from './fields.ts'
import { CHUNKED, declaredLength, responseBodyLength, UNTIL_CLOSE } from './framing.ts'

const none: string[] = []
const five = ['Content-Length', '5']
const chunked = ['Transfer-Encoding', 'chunked']

test.each([
  ['GET', 200, none, UNTIL_CLOSE],
  ['GET', 200, five, 5],
  ['GET', 200, chunked, CHUNKED],
  ['HEAD', 200, five, 0],
  ['HEAD', 200, chunked, 0],
  ['GET', 204, five, 0],
  ['GET', 304, five, 0],
  ['GET', 103, five, 0],
  ['CONNECT', 200, chunked, 0],
  ['CONNECT', 403, five, 5],
  ['GET', 404, none, UNTIL_CLOSE],
])('%s answered by %i with %j has a body of %i', (method, status, lines, length) => {
  expect(responseBodyLength(Fields.from(lines), 1, status, method)).toBe(length)
})

test.each([
  [1, ['Content-Length', '5', 'content-length', '5']],
  [1, ['Content-Length', '5', 'Transfer-Encoding', 'chunked']],
  [1, ['Content-Length', 'x']],
  [1, ['Transfer-Encoding', 'gzip, chunked']],
  [0, ['Transfer-Encoding', 'chunked']],
])('HTTP/1.%i with %j is refused, whatever the method', (minor, lines) => {
  for (const method of ['GET', 'HEAD']) {
    expect(() => responseBodyLength(Fields.from(lines), minor, 200, method)).toThrow(
      expect.objectContaining({ code: 'GATEWAY_UPSTREAM_INVALID' }),
    )
  }
})

test('what a response to HEAD declares can be asked for', () => {
  expect(declaredLength(Fields.from(five), 1, 'upstream')).toBe(5)
  expect(declaredLength(Fields.from(none), 1, 'upstream')).toBeUndefined()
})
