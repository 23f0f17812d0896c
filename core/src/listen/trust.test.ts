import { expect, test } from 'vitest'
import { addressTest } from './trust.ts'

test('nobody is trusted by nobody', () => {
  expect(addressTest([])('127.0.0.1')).toBe(false)
})

test.each([
  ['10.1.2.3', true],
  ['10.255.255.255', true],
  ['11.0.0.1', false],
  ['192.0.2.7', true],
  ['192.0.2.8', false],
  ['2001:db8::1', true],
  ['2001:db9::1', false],
  ['::1', true],
  ['::2', false],
  ['::ffff:10.1.2.3', true],
  ['fe80::1%eth0', false],
  ['', false],
  ['localhost', false],
  ['10.1.2.3, 10.1.2.4', false],
])('%j is trusted: %s', (address, trusted) => {
  expect(addressTest(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1'])(address)).toBe(trusted)
})

test('everybody may be trusted', () => {
  const trusts = addressTest(['0.0.0.0/0', '::/0'])
  expect([trusts('8.8.8.8'), trusts('2001:db8::1'), trusts('nonsense')]).toEqual([true, true, false])
})
