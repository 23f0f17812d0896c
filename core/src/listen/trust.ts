import { BlockList, isIP } from 'node:net'

const noOne = () => false

/** Whether an address is one of the proxies that a listener believes; `trust` are addresses and CIDRs, checked before. */
export function compileTrust(trust: readonly string[]): (address: string) => boolean {
  if (trust.length === 0) return noOne
  const list = new BlockList()
  for (const cidr of trust) {
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
