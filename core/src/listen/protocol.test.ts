import { expect, test } from 'vitest'
import { recognise } from './protocol.ts'

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

test('the preface of HTTP/2 is known by its first line, whatever pieces it comes in', () => {
  for (let length = 1; length <= preface.length; length++) {
    expect(recognise(Buffer.from(preface.slice(0, length)))).toBe(length < 16 ? undefined : 'h2')
  }
})

test.each(['GET / HTTP/1.1', 'POST', 'PROPFIND /', 'PRI * HTTP/1.1\r\n', 'PRI * HTTP/2.0\n', '\r\nPRI', 'pri', '\0'])(
  '%j is HTTP/1.1 as soon as it differs',
  text => {
    expect(recognise(Buffer.from(text))).toBe('http/1.1')
    for (let length = 1; length < text.length; length++) {
      const found = recognise(Buffer.from(text.slice(0, length)))
      expect(found).toBe(preface.startsWith(text.slice(0, length)) ? undefined : 'http/1.1')
    }
  },
)
