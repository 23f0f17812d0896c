import { describe, expect, it } from 'vitest'
import { normalizeHost, parseHostPattern } from './host.ts'

describe('normalizeHost', () => {
  it.each([
    ['api.example.com', 'api.example.com'],
    ['API.Example.COM', 'api.example.com'],
    ['api.example.com:8080', 'api.example.com'],
    ['api.example.com:', 'api.example.com'],
    ['api.example.com.', 'api.example.com'],
    ['api.example.com.:443', 'api.example.com'],
    ['localhost', 'localhost'],
    ['my_service', 'my_service'],
    ['127.0.0.1:80', '127.0.0.1'],
    ['[::1]', '[::1]'],
    ['[::1]:8080', '[::1]'],
    ['[0:0:0:0:0:0:0:1]', '[::1]'],
    ['[2001:DB8::A]', '[2001:db8::a]'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ])('%s is %s', (authority, host) => {
    expect(normalizeHost(authority)).toBe(host)
  })

  it.each([
    '',
    ':80',
    '.',
    '.example.com',
    'a..b',
    'example.com..',
    'a b',
    'a,b',
    'user@example.com',
    'example.com/x',
    'example.com:99999',
    'example.com:80:80',
    'example.com:http',
    '::1',
    '[::1',
    '[::1]x',
    '[fe80::1%25eth0]',
    '[zz]',
    '[1:2]',
    'bücher.example',
    'a%2eb',
    '*.example.com',
    'a\x00b',
    'a\\b',
    '{x}',
    "a'b",
    'a#b',
    'a?b',
    'example.com\n',
  ])('%j is no host', authority => {
    expect(normalizeHost(authority)).toBeUndefined()
  })
})

describe('parseHostPattern', () => {
  it.each([
    ['api.example.com', 'api.example.com'],
    ['API.example.com.', 'api.example.com'],
    ['*.Example.com', '*.example.com'],
    ['[0::1]', '[::1]'],
  ])('%s is %s', (text, pattern) => {
    expect(parseHostPattern(text)).toBe(pattern)
  })

  it.each([
    ['*', 0, 'leave the host out'],
    ['api.*.com', 4, 'write "*.example.com"'],
    ['*example.com', 0, 'write "*.example.com"'],
    ['*.*.com', 2, 'write "*.example.com"'],
    ['example.com:8080', 11, 'leave it out'],
    ['*.example.com:80', 13, 'leave it out'],
    ['[::1]:80', 5, 'leave it out'],
    ['::1', 0, 'write "[::1]"'],
    ['*.[::1]', 0, 'no host name'],
    ['', 0, 'no host name'],
    ['http://x', 0, 'no host name'],
    ['bücher.example', 0, 'write "xn--bcher-kva.example"'],
    ['*.bücher.example', 0, 'write "*.xn--bcher-kva.example"'],
  ])('%j is refused at %d: %s', (text, at, remedy) => {
    expect(parseHostPattern(text)).toMatchObject({ at, error: expect.stringContaining(remedy) })
  })
})
