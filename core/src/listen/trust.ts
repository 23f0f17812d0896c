import { BlockList, isIP } from 'node:net'

const noOne = () => false

/**
 * Makes a test of whether an address, IPv4 or IPv6, is in a list of addresses and CIDRs as `cidr()` accepts them. An IPv4
 * address written as IPv6 (`::ffff:10.0.0.1`) is in both families' lists.
 */
export function addressTest(cidrs: readonly string[]): (address: string) => boolean {
  if (cidrs.length === 0) return noOne
  const list = new BlockList()
  for (const cidr of cidrs) {
    const [address = '', prefix] = cidr.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(prefix), family)
  }
  return address => {
    const family = isIP(address)
    return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4')
  }
}
