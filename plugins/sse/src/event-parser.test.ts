import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EventParser, type ServerEvent } from './event-parser.ts'

const bytes = (text: string) => Buffer.from(text, 'latin1')
const text = (events: readonly ServerEvent[]) => events.map(event => Buffer.from(event.bytes).toString('latin1'))

function parse(...pieces: string[]): ServerEvent[] {
  const parser = new EventParser(1_000)
  return pieces.flatMap(piece => parser.push(bytes(piece)))
}

/** What a browser makes of a stream: the standard's algorithm over all of it at once. */
function browser(stream: string): { data: string; id: string; retry: number | undefined }[] {
  const seen = []
  let data = ''
  let id = ''
  let retry: number | undefined
  const lines = stream.replace(/^\xef\xbb\xbf/, '').split(/\r\n|\n|\r/)
  for (const line of lines.slice(0, -1)) {
    if (line === '') {
      if (data !== '') seen.push({ data, id, retry })
      data = ''
      continue
    }
    const colon = line.indexOf(':')
    if (colon === 0) continue
    const name = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === 'data') data += `${value}\n`
    else if (name === 'id' && !value.includes('\0')) id = value
    else if (name === 'retry' && /^[0-9]+$/.test(value)) retry = Number(value)
  }
  return seen
}

describe('what ends an event', () => {
  test.each([
    ['data: a\n\ndata: b\n\n', ['data: a\n\n', 'data: b\n\n']],
    ['data: a\r\n\r\ndata: b\r\n\r\n', ['data: a\r\n\r\n', 'data: b\r\n\r\n']],
    ['data: a\r\rdata: b\r\r', ['data: a\r\r', 'data: b\r\r']],
    ['data: a\r\n\ndata: b\n\r\n', ['data: a\r\n\n', 'data: b\n\r\n']],
    [': one\n: two\ndata: a\n\n', [': one\n', ': two\n', 'data: a\n\n']],
    ['data: a\n: inside\n\n', ['data: a\n: inside\n\n']],
    ['\xef\xbb\xbfdata: a\n\n', ['data: a\n\n']],
    ['data: half\n', []],
  ])('%j', (stream, expected) => {
    expect(text(parse(stream))).toEqual(expected)
  })

  test('an event does not wait for the other half of a line end', () => {
    expect(text(parse('data: a\r\r', '\ndata: b\n\n'))).toEqual(['data: a\r\r', 'data: b\n\n'])
  })

  test('what is no byte order mark is the first line', () => {
    expect(text(parse('\xef', '\xbb', 'x: 1\n\n'))).toEqual(['\xef\xbbx: 1\n\n'])
  })

  test('half an event is told apart', () => {
    const parser = new EventParser(1_000)
    parser.push(bytes('data: a\n\ndata:'))
    parser.push(bytes(' b'))
    expect(parser.rest).toEqual(bytes('data: b'))
  })
})

test.each([
  ['id: 7\n\n', '7', undefined],
  ['id:7\ndata: a\n\n', '7', undefined],
  ['id:  7\n\n', ' 7', undefined],
  ['id\n\n', '', undefined],
  ['id: a\0b\n\n', undefined, undefined],
  ['id: 1\nid: 2\n\n', '2', undefined],
  ['ids: 1\n\n', undefined, undefined],
  ['retry: 250\n\n', undefined, 250],
  ['retry: 250ms\n\n', undefined, undefined],
  ['retry: -1\n\n', undefined, undefined],
  ['retry\n\n', undefined, undefined],
  ['data: id: 1\n\n', undefined, undefined],
])('%j says id %j and retry %j', (stream, id, retry) => {
  expect(parse(stream)).toMatchObject([{ id, retry }])
})

test('an event larger than the bound is refused, whole or in pieces', () => {
  const tooLarge = expect.objectContaining({ code: 'SSE_EVENT_TOO_LARGE', status: 502 })
  expect(() => new EventParser(20).push(bytes(`data: ${'a'.repeat(20)}\n\n`))).toThrow(tooLarge)
  const parser = new EventParser(20)
  parser.push(bytes('data: aaaaaaaa\n'))
  expect(() => parser.push(bytes('data: a'))).toThrow(tooLarge)
})

const line = fc.oneof(
  fc.constantFrom(
    '',
    ':',
    ': ping',
    'data',
    'data:',
    'data: a',
    'data:b:c',
    'id: 1',
    'id',
    'id: \0',
    'retry: 10',
    'retry: x',
  ),
  fc.string({ unit: fc.constantFrom('a', ':', ' ', '\0', '\xef', '\xbb', '\xbf', 'i', 'd'), maxLength: 4 }),
)
const stream = fc
  .tuple(fc.constantFrom('', '\xef\xbb\xbf'), fc.array(fc.tuple(line, fc.constantFrom('\n', '\r', '\r\n'))))
  .map(([mark, lines]) => mark + lines.flat().join(''))

test('a browser sees the same, however the stream comes in pieces, and ids and retry are those it sees', () => {
  fc.assert(
    fc.property(stream, fc.array(fc.nat(80)), (whole, cuts) => {
      const at = [...new Set([0, ...cuts.filter(cut => cut < whole.length), whole.length])].toSorted((a, b) => a - b)
      const parser = new EventParser(10_000)
      let id = ''
      let passed = ''
      for (const [index, from] of at.entries()) {
        for (const event of parser.push(bytes(whole.slice(from, at[index + 1] ?? from)))) {
          id = event.id ?? id
          passed += Buffer.from(event.bytes).toString('latin1')
        }
      }
      passed += Buffer.from(parser.rest).toString('latin1')
      expect(browser(passed)).toEqual(browser(whole))
      const ended = browser(`${whole}\n\ndata: end\n\n`).at(-1)
      const tail = new EventParser(10_000).push(bytes(`${Buffer.from(parser.rest).toString('latin1')}\n\n`))
      expect(tail.reduce((last, event) => event.id ?? last, id)).toBe(ended?.id)
    }),
    { seed: 7, numRuns: 2_000 },
  )
})
