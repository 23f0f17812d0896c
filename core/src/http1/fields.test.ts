import { describe, expect, test } from 'vitest'
import { Fields } from './fields.ts'
import { known, knownNames, probeTable } from './known-fields.ts'
import { parseRequestHead } from './parse-head.ts'

function parsed(...lines: string[]): Fields {
  const text = `GET / HTTP/1.1\r\nHost: a\r\n${lines.map(line => `${line}\r\n`).join('')}\r\n`
  const head = parseRequestHead(Buffer.from(text, 'latin1'))
  if (head === undefined) throw new Error('incomplete')
  head.fields.delete('host')
  return head.fields
}

const built = (...lines: string[]) =>
  Fields.from(lines.flatMap(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]))

describe.each([
  ['parsed', parsed],
  ['built', built],
])('%s fields', (_origin, make) => {
  test('are found without regard to case', () => {
    const fields = make('X-One: 1', 'content-TYPE: text/plain')
    expect(fields.get('x-one')).toBe('1')
    expect(fields.get('Content-Type')).toBe('text/plain')
    expect(fields.getKnown(known['content-type'])).toBe('text/plain')
    expect(fields.has('X-ONE')).toBe(true)
    expect(fields.has('x-on')).toBe(false)
    expect(fields.get('x-two')).toBeUndefined()
    expect(fields.size).toBe(2)
  })

  test('of several lines are joined as their name allows', () => {
    const fields = make('A: 1', 'Cookie: a=1', 'a: 2', 'Set-Cookie: x', 'cookie: b=2', 'set-cookie: y')
    expect(fields.get('a')).toBe('1, 2')
    expect(fields.get('cookie')).toBe('a=1; b=2')
    expect(fields.get('set-cookie')).toBe('x')
    expect(fields.getAll('Set-Cookie')).toEqual(['x', 'y'])
    expect(fields.countKnown(known.cookie)).toBe(2)
    expect(fields.getKnown(known.cookie)).toBe('a=1; b=2')
  })

  test('keep their order and spelling', () => {
    const fields = make('B: 1', 'a: 2', 'C: 3')
    expect([...fields]).toEqual([
      ['B', '1'],
      ['a', '2'],
      ['C', '3'],
    ])
    const seen: string[] = []
    fields.forEach((name, value) => {
      seen.push(`${name}=${value}`)
    })
    expect(seen).toEqual(['B=1', 'a=2', 'C=3'])
    expect(fields.toText()).toBe('B: 1\r\na: 2\r\nC: 3\r\n')
  })

  test('can be changed', () => {
    const fields = make('A: 1', 'B: 2', 'a: 3', 'C: 4')
    fields.set('A', '5')
    fields.append('b', '6')
    fields.delete('c')
    fields.delete('absent')
    expect(fields.toText()).toBe('B: 2\r\nA: 5\r\nb: 6\r\n')
    expect(fields.get('b')).toBe('2, 6')
    fields.set('b', '7')
    fields.delete('a')
    expect([...fields]).toEqual([['b', '7']])
    expect(fields.size).toBe(1)
  })

  test('are cloned apart', () => {
    const fields = make('A: 1', 'B: 2')
    fields.append('C', '3')
    const copy = fields.clone()
    copy.delete('a')
    copy.set('C', '4')
    copy.append('D', '5')
    expect(fields.toText()).toBe('A: 1\r\nB: 2\r\nC: 3\r\n')
    expect(copy.toText()).toBe('B: 2\r\nC: 4\r\nD: 5\r\n')
  })

  test('lose what belongs to one hop', () => {
    const fields = make(
      'Keep: 1',
      'Connection: close, X-Secret ,host,, content-type',
      'X-Secret: 1',
      'Keep-Alive: timeout=5',
      'Proxy-Connection: x',
      'TE: trailers',
      'Trailer: X',
      'Upgrade: h2c',
      'HTTP2-Settings: x',
      'Proxy-Authorization: x',
      'Content-Type: text/plain',
      'connection: Other',
      'other: 1',
      'Last: 2',
    )
    fields.append('Content-Length', '5')
    fields.append('transfer-encoding', 'chunked')
    fields.removeHopByHop()
    expect([...fields]).toEqual([
      ['Keep', '1'],
      ['Last', '2'],
    ])
    fields.removeHopByHop()
    expect(fields.has('keep')).toBe(true)
  })

  test('may bear the names of an object’s own parts', () => {
    const fields = make('__proto__: 1', 'constructor: 2', 'toString: 3')
    expect(fields.get('__proto__')).toBe('1')
    fields.set('__proto__', '4')
    fields.append('Connection', '__proto__, constructor')
    expect(fields.get('__PROTO__')).toBe('4')
    fields.removeHopByHop()
    expect([...fields]).toEqual([['toString', '3']])
  })
})

test('Host stays though Connection names it', () => {
  const head = parseRequestHead(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nConnection: host, x\r\nX: 1\r\n\r\n'))
  head?.fields.removeHopByHop()
  expect(head?.fields.toText()).toBe('Host: a\r\n')
})

test.each(['', 'a b', 'a:', 'a\r\nb', 'ä', 'a\0', '(a)'])('refuses the name %j', name => {
  expect(() => new Fields().set(name, 'x')).toThrow(TypeError)
  expect(() => new Fields().append(name, 'x')).toThrow(TypeError)
})

test.each(['a\r\nb: c', 'a\n', 'a\0', '\u0001', '\u007f', '\u0100', '€'])('refuses the value %j', value => {
  expect(() => new Fields().set('a', value)).toThrow(TypeError)
  expect(() => Fields.from(['a', value])).toThrow(TypeError)
})

test('keeps the old value when the new one is refused', () => {
  const fields = Fields.from(['a', '1'])
  expect(() => fields.set('a', '\n')).toThrow(TypeError)
  expect(fields.get('a')).toBe('1')
})

test('takes latin1, and trims what readers trim', () => {
  const fields = Fields.from(['a', ' \té\t '])
  expect(fields.get('a')).toBe('é')
  expect(fields.toText()).toBe('a: é\r\n')
})

test('white space inside a parsed line is passed on as it came', () => {
  const fields = parsed('A:  1  ', 'B:\t2', 'C:')
  expect([...fields]).toEqual([
    ['A', '1'],
    ['B', '2'],
    ['C', ''],
  ])
  expect(fields.toText()).toBe('A:  1  \r\nB:\t2\r\nC:\r\n')
})

test('every known name has its own place and number', () => {
  for (const [number, name] of knownNames.entries()) {
    if (number === 0) continue
    expect(known[name as keyof typeof known]).toBe(number)
    expect(number).toBeLessThan(31)
    expect(parsed(`${name.toUpperCase()}x: 1`).get(name)).toBeUndefined()
  }
  expect(() => probeTable(['', 'date', 'dabe'])).toThrow('share a slot')
})
