import { describe, expect, test } from 'vitest'
import { readProxyHeader } from './proxy-protocol.ts'

const text = (line: string) => Buffer.from(line, 'latin1')

interface Version2 {
  readonly command?: number
  readonly family?: number
  readonly addresses?: readonly number[]
  readonly values?: readonly number[]
  /** Of what follows the first 16 bytes; default: as long as it is. */
  readonly length?: number
}

const ipv4 = [192, 0, 2, 7, 198, 51, 100, 1, 0xdb, 0xfc, 0x01, 0xbb]
const ipv6 = [
  0x20,
  0x01,
  0x0d,
  0xb8,
  ...Array(11).fill(0),
  7,
  0x20,
  0x01,
  0x0d,
  0xb8,
  ...Array(12).fill(0),
  0xdb,
  0xfc,
  1,
  0xbb,
]
const mapped = [...Array(10).fill(0), 255, 255, 192, 0, 2, 7, ...Array(16).fill(0), 0xdb, 0xfc, 1, 0xbb]

function version2({ command = 0x21, family = 0x11, addresses = ipv4, values = [], length }: Version2 = {}): Buffer {
  const rest = [...addresses, ...values]
  const size = length ?? rest.length
  return Buffer.concat([text('\r\n\r\n\0\r\nQUIT\n'), Buffer.from([command, family, size >> 8, size & 255, ...rest])])
}

const client = { address: '192.0.2.7', port: 56316 }

const good: readonly (readonly [string, Buffer, { address: string; port: number } | undefined])[] = [
  ['1, IPv4', text('PROXY TCP4 192.0.2.7 198.51.100.1 56316 443\r\n'), client],
  ['1, IPv6', text('PROXY TCP6 2001:DB8:0:0::7 2001:db8:: 56316 443\r\n'), { address: '2001:db8::7', port: 56316 }],
  ['1, IPv4 inside IPv6', text('PROXY TCP6 ::ffff:192.0.2.7 ::1 56316 443\r\n'), client],
  ['1, the lowest ports', text('PROXY TCP4 0.0.0.0 255.255.255.255 0 0\r\n'), { address: '0.0.0.0', port: 0 }],
  [
    '1, the longest TCP6 line',
    text(`PROXY TCP6 ${Array(8).fill('ffff').join(':')} ${Array(8).fill('ffff').join(':')} 65535 65535\r\n`),
    { address: Array(8).fill('ffff').join(':'), port: 65535 },
  ],
  ['1, unknown', text('PROXY UNKNOWN\r\n'), undefined],
  ['1, unknown with more, at its longest', text(`${'PROXY UNKNOWN '.padEnd(105, 'f')}\r\n`), undefined],
  ['2, IPv4', version2(), client],
  ['2, IPv4 over datagrams', version2({ family: 0x12 }), client],
  ['2, IPv6', version2({ family: 0x21, addresses: ipv6 }), { address: '2001:db8::7', port: 56316 }],
  ['2, IPv4 inside IPv6', version2({ family: 0x21, addresses: mapped }), client],
  ['2, a unix socket', version2({ family: 0x31, addresses: Array(216).fill(0x61) }), undefined],
  ['2, unspecified', version2({ family: 0x00, addresses: [] }), undefined],
  ['2, unspecified with what is to be ignored', version2({ family: 0x00, addresses: [1, 2, 3] }), undefined],
  ['2, local', version2({ command: 0x20, family: 0, addresses: [] }), undefined],
  ['2, local with an address that is to be ignored', version2({ command: 0x20 }), undefined],
  ['2, local of a family that nobody knows', version2({ command: 0x20, family: 0xff }), undefined],
  ['2, values', version2({ values: [0x04, 0, 0, 0xea, 0, 3, 1, 2, 3, 0x20, 0, 1, 9] }), client],
  ['2, at its longest', version2({ values: [0x04, 0x0f, 0xf1, ...Array(4081).fill(0)] }), client],
]

const bad: readonly (readonly [string, Buffer, string])[] = [
  ['plain HTTP', text('GET / HTTP/1.1\r\n\r\n'), 'it does not begin with a PROXY header'],
  ['lower case', text('proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n'), 'it does not begin with a PROXY header'],
  ['a TLS hello', Buffer.from([0x16, 3, 1]), 'it does not begin with a PROXY header'],
  ['an empty line', text('\r\nGET'), 'it does not begin with a PROXY header'],
  ['1, no end', text('PROXY UNKNOWN '.padEnd(107, 'f')), 'its PROXY header is too long'],
  ['1, one byte too long', text(`${'PROXY UNKNOWN '.padEnd(106, 'f')}\r\n`), 'its PROXY header is too long'],
  ...[
    'PROXY \r\n',
    'PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY TCP4\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n',
    'PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n',
    'PROXY TCP4 1.2.3.4\t1.2.3.4 1 2\r\n',
    'PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n',
    'PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n',
    'PROXY TCP4 ::1 ::1 1 2\r\n',
    'PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n',
    'PROXY TCP6 [::1] ::1 1 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1e3 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n',
    'PROXY unknown\r\n',
  ].map(line => [`1, ${JSON.stringify(line)}`, text(line), 'its PROXY header is malformed'] as const),
  ['2, version 1', version2({ command: 0x11 }), 'its PROXY header is of an unknown version or command'],
  ['2, command 2', version2({ command: 0x22 }), 'its PROXY header is of an unknown version or command'],
  ['2, family 4', version2({ family: 0x41 }), 'its PROXY header is of an unknown address family or transport'],
  ['2, transport 3', version2({ family: 0x13 }), 'its PROXY header is of an unknown address family or transport'],
  ['2, too short for IPv4', version2({ addresses: ipv4.slice(1) }), 'its PROXY header is too short for its addresses'],
  ['2, too short for IPv6', version2({ family: 0x21 }), 'its PROXY header is too short for its addresses'],
  ['2, too short for unix', version2({ family: 0x31 }), 'its PROXY header is too short for its addresses'],
  ['2, too long', version2({ length: 4097 }), 'its PROXY header is too long'],
  ['2, as long as can be said', version2({ command: 0x20, length: 65_535 }), 'its PROXY header is too long'],
  ...[[4], [4, 0], [4, 0, 1], [4, 0, 0, 4, 0, 2, 1], [4, 0xff, 0xff, 0]].map(
    values =>
      [`2, values ${values}`, version2({ values }), 'its PROXY header has a value that is longer than itself'] as const,
  ),
]

/** Everything that a connection shows of these bytes as they come one by one. */
function readByByte(bytes: Buffer): ReturnType<typeof readProxyHeader> {
  for (let length = 1; length < bytes.length; length++) {
    const header = readProxyHeader(bytes.subarray(0, length))
    if (header !== undefined) return header
  }
  return readProxyHeader(bytes)
}

describe.each(good)('version %s', (_, bytes, source) => {
  test('is read, and what follows is not', () => {
    expect(readProxyHeader(bytes)).toEqual({ length: bytes.length, source })
    expect(readProxyHeader(Buffer.concat([bytes, text('GET / HTTP/1.1\r\n')]))).toEqual({
      length: bytes.length,
      source,
    })
  })

  test('needs every byte', () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(readProxyHeader(bytes.subarray(0, length))).toBeUndefined()
    }
  })
})

describe.each(bad)('%s', (_, bytes, message) => {
  test('is refused, however it comes', () => {
    expect(() => readProxyHeader(bytes)).toThrow(message)
    expect(() => readByByte(bytes)).toThrow(message)
  })
})
