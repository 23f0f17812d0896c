/**
 * An IPv4 address as it is; of an IPv6 address the first 64 bits: whoever has one has all of its /64 (RFC 6177), and could
 * come from another address each time.
 */
export function clientNetwork(address: string): string {
  if (!address.includes(':')) return address
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  if (mapped?.[1] !== undefined) return mapped[1]
  const [head = '', tail] = address.split('::')
  const before = groups(head)
  const after = groups(tail ?? '')
  // Two colons stand for as many groups of zeros as are missing.
  const zeros = new Array<string>(tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length)).fill('0')
  const network = [...before, ...zeros, ...after].slice(0, 4)
  return `${network.map(group => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}

/** An IPv4 tail is two groups, and never among the first four. */
function groups(part: string): string[] {
  if (part === '') return []
  return part.split(':').flatMap(group => (group.includes('.') ? ['0', '0'] : [group]))
}
