import { expect, test } from 'vitest'
import { hopAddress } from './forwarded.ts'

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['192.0.2.1:8080', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8::1', '2001:db8::1'],
  ['[2001:db8::1]', '2001:db8::1'],
  ['[2001:db8::1]:8080', '2001:db8::1'],
  ['[::ffff:192.0.2.1]:8080', '192.0.2.1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['[fe80::1%25eth0]:80', 'fe80::1'],
  ['', ''],
  ['unknown', 'unknown'],
  ['_hidden', '_hidden'],
  ['::ffff:c000:201', '::ffff:c000:201'],
])('of %j the address is %j', (text, address) => {
  expect(hopAddress(text)).toBe(address)
})
