import { describe, expect, it } from 'vitest'
import { defaultPathOptions } from './canonical-path.ts'
import { parseTarget } from './target.ts'

describe('parseTarget', () => {
  it.each([
    ['GET', '/', 'h', { path: '/', query: '', authority: 'h', host: 'h' }],
    ['GET', '/a?b=c', 'H:80', { path: '/a', query: 'b=c', authority: 'H:80', host: 'h' }],
    ['GET', '/a?', 'h', { path: '/a', query: '' }],
    ['GET', '/a??b?c', 'h', { path: '/a', query: '?b?c' }],
    ['GET', '/%61?%61=[1]|{}', 'h', { path: '/a', query: '%61=[1]|{}' }],
    ['GET', '/a', undefined, { path: '/a', authority: '', host: '' }],
    ['GET', '/a', '', { path: '/a', authority: '', host: '' }],
    ['GET', '/http://x/y', 'h', { path: '/http:/x/y' }],
    ['GET', 'http://other:81/a?b', 'h', { path: '/a', query: 'b', authority: 'other:81', host: 'other' }],
    ['GET', 'HTTPS://Other', 'h', { path: '/', query: '', authority: 'Other', host: 'other' }],
    ['GET', 'http://other?x', 'h', { path: '/', query: 'x', host: 'other' }],
    ['GET', 'http://[::1]:80/a', 'h', { path: '/a', host: '[::1]' }],
    ['OPTIONS', '*', 'h', { path: '*', query: '', host: 'h' }],
    ['OPTIONS', 'http://other', 'h', { path: '*', host: 'other' }],
    ['OPTIONS', 'http://other/', 'h', { path: '/', host: 'other' }],
    ['OPTIONS', '/a', 'h', { path: '/a' }],
    ['CONNECT', 'example.com:443', 'h', { path: '', query: '', authority: 'example.com:443', host: 'example.com' }],
    ['CONNECT', '[::1]:443', 'h', { path: '', host: '[::1]' }],
  ])('%s %s', (method, target, host, expected) => {
    expect(parseTarget(method, target, host)).toMatchObject(expected)
  })

  it.each([
    ['GET', '', 'h', 'GATEWAY_BAD_REQUEST'],
    ['GET', '*', 'h', 'GATEWAY_BAD_REQUEST'],
    ['GET', 'a', 'h', 'GATEWAY_BAD_REQUEST'],
    ['GET', '?a', 'h', 'GATEWAY_BAD_REQUEST'],
    ['GET', 'example.com:443', 'h', 'GATEWAY_BAD_REQUEST'],
    ['GET', 'ftp://h/a', 'h', 'GATEWAY_BAD_REQUEST'],
    ['GET', 'file:///etc/passwd', 'h', 'GATEWAY_BAD_REQUEST'],
    ['GET', 'http:/a', 'h', 'GATEWAY_BAD_REQUEST'],
    ['GET', 'http:///a', 'h', 'GATEWAY_BAD_REQUEST'],
    ['GET', 'http://', 'h', 'GATEWAY_BAD_REQUEST'],
    ['GET', 'http://user:pass@h/a', 'h', 'GATEWAY_BAD_REQUEST'],
    ['GET', 'http://h#x', 'h', 'GATEWAY_BAD_PATH'],
    ['GET', 'http://a\\b/c', 'h', 'GATEWAY_BAD_REQUEST'],
    ['GET', 'http://h/../a', 'h', 'GATEWAY_BAD_PATH'],
    ['GET', '/a#b', 'h', 'GATEWAY_BAD_PATH'],
    ['GET', '/a?b#c', 'h', 'GATEWAY_BAD_REQUEST'],
    ['GET', '/a?b c', 'h', 'GATEWAY_BAD_REQUEST'],
    ['GET', '/a?b\x00', 'h', 'GATEWAY_BAD_REQUEST'],
    ['GET', '/a?\u00e9', 'h', 'GATEWAY_BAD_REQUEST'],
    ['GET', '/a', 'a b', 'GATEWAY_BAD_REQUEST'],
    ['GET', '/a', 'h, h', 'GATEWAY_BAD_REQUEST'],
    ['GET', '/a', 'user@h', 'GATEWAY_BAD_REQUEST'],
    ['OPTIONS', '*', 'a/b', 'GATEWAY_BAD_REQUEST'],
    ['OPTIONS', '**', 'h', 'GATEWAY_BAD_REQUEST'],
    ['CONNECT', '/', 'h', 'GATEWAY_BAD_REQUEST'],
    ['CONNECT', 'example.com', 'h', 'GATEWAY_BAD_REQUEST'],
    ['CONNECT', 'http://example.com:443', 'h', 'GATEWAY_BAD_REQUEST'],
    ['CONNECT', 'example.com:99999', 'h', 'GATEWAY_BAD_REQUEST'],
    ['CONNECT', ':443', 'h', 'GATEWAY_BAD_REQUEST'],
    ['CONNECT', 'u@h:443', 'h', 'GATEWAY_BAD_REQUEST'],
  ])('%s %j with Host %j is refused', (method, target, host, code) => {
    expect(parseTarget(method, target, host)).toMatchObject({ code })
  })

  it('reads the path as the listener allows', () => {
    expect(parseTarget('GET', '/a%2fb', 'h', { ...defaultPathOptions, encodedSlashes: 'keep' })).toMatchObject({
      path: '/a%2Fb',
    })
  })
})
