import { forwarded, head, type RequestCase, refused } from '../support/request-case.ts'

const host = (...lines: string[]) => head('GET / HTTP/1.1', lines)
const passes = (name: string, section: string, value: string): RequestCase => {
  return [name, section, host(`Host: ${value}`), forwarded('GET /', { host: value })]
}
const fails = (name: string, section: string, value: string): RequestCase => {
  return [name, section, host(`Host: ${value}`), refused()]
}

/** RFC 9112 section 3.2, RFC 9110 section 7.2. */
export const hosts: readonly RequestCase[] = [
  passes('name', '9110 7.2', 'a.example'),
  passes('name with port', '9110 7.2', 'a.example:8080'),
  passes('name in capitals', '9110 4.2.3', 'A.Example'),
  passes('name with an underscore', '9110 7.2', 'my_service'),
  passes('IPv4 address', '9110 7.2', '127.0.0.1'),
  passes('IPv6 address', '9110 7.2', '[::1]'),
  passes('IPv6 address with port', '9110 7.2', '[2001:db8::1]:443'),
  ['white space around the value', '9112 5.1', host('Host:  \ta \t'), forwarded('GET /')],
  ['absent', '9112 3.2', host('A: b'), refused()],
  ['absent, and nothing else', '9112 3.2', host(), refused()],
  ['twice', '9112 3.2', host('Host: a', 'Host: a'), refused()],
  ['twice, in different case', '9112 3.2', host('Host: a', 'hOST: b'), refused()],
  ['twice, apart', '9112 3.2', host('Host: a', 'A: b', 'Host: b'), refused()],
  ['twice, one empty', '9112 3.2', host('Host:', 'Host: a'), refused()],
  ['absent although the target has an authority', '9112 3.2', head('GET http://a/ HTTP/1.1', []), refused()],
  [
    'twice although the target has an authority',
    '9112 3.2',
    head('GET http://a/ HTTP/1.1', ['Host: a', 'Host: b']),
    refused(),
  ],
  [
    'invalid although the target has an authority',
    '9112 3.2',
    head('GET http://a/ HTTP/1.1', ['Host: a b']),
    refused(),
  ],
  [
    'another than the target says',
    '9112 3.2.2',
    head('GET http://b/ HTTP/1.1', ['Host: a']),
    forwarded('GET /', { host: 'b' }),
  ],
  ['named by Connection stays', '9110 7.6.1', host('Host: a', 'Connection: host'), forwarded('GET /')],
  fails('empty', '9112 3.2', ''),
  fails('list', '9112 3.2', 'a, b'),
  fails('two names', '9112 3.2', 'a b'),
  fails('user information', '9110 4.2.4', 'u@a'),
  fails('user information of a trusted name', '9110 4.2.4', 'good.example:80@evil.example'),
  fails('path', '9112 3.2', 'a/b'),
  fails('URL', '9112 3.2', 'http://a'),
  fails('query', '9112 3.2', 'a?b'),
  fails('fragment', '9112 3.2', 'a#b'),
  fails('backslash', '9112 3.2', 'a\\b'),
  fails('encoded', 'house: one name', 'a%2eb'),
  fails('sub-delimiters', 'house: one name', "a'b"),
  fails('angle brackets', '9112 3.2', '<a>'),
  fails('quote', '9112 3.2', 'a"'),
  fails('obs-text', '9112 3.2', 'b\xfccher.example'),
  fails('NUL', '9112 3.2', 'a\0b'),
  fails('port that is none', '9112 3.2', 'a:http'),
  fails('port empty', 'house: one name', 'a:'),
  fails('port negative', '9112 3.2', 'a:-1'),
  fails('port too high', '9110 4.2', 'a:65536'),
  fails('port far too high', '9110 4.2', 'a:99999999999999999999'),
  fails('two ports', '9112 3.2', 'a:80:80'),
  fails('port alone', '9112 3.2', ':80'),
  fails('IPv6 address without brackets', '3986 3.2.2', '::1'),
  fails('IPv6 address unclosed', '3986 3.2.2', '[::1'),
  fails('IPv6 address with a zone', '6874 1', '[fe80::1%25eth0]'),
  fails('name in brackets', '3986 3.2.2', '[a]'),
  fails('future address in brackets', 'house: nobody has them', '[v1.a]'),
  fails('junk after the bracket', '3986 3.2.2', '[::1]a'),
]
