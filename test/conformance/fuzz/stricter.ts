/**
 * Where the gateway refuses on purpose what llhttp takes in its strict mode, by the reason that the gateway logs. Anything
 * else that one of the two takes and the other does not, or frames differently, is a finding.
 */
const deliberate = {
  request: [] as RegExp[],
  response: [] as RegExp[],
}

export function isDeliberate(side: 'request' | 'response', reason: string): boolean {
  return deliberate[side].some(pattern => pattern.test(reason))
}
