/** Whose pages may read: an origin, a pattern with one `*` in place of subdomains or port, an expression, a function. */
export type OriginRule = string | RegExp | ((origin: string) => boolean)

/** Says whether an `Origin` is allowed. */
export type OriginTest = (origin: string) => boolean

const originPattern =
  /^([a-z][a-z0-9+.-]*):\/\/(\*\.)?((?:[a-z0-9_-]+\.)*[a-z0-9_-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}|\*))?$/

/**
 * What is wrong with a rule, or undefined. Browsers send an origin in lower case, without path and without the scheme's own
 * port, so a rule written otherwise would never match.
 */
export function faultOfOrigin(rule: string): string | undefined {
  if (rule === 'null') return undefined
  const [, scheme, , , port] = originPattern.exec(rule) ?? []
  if (scheme === undefined) {
    return `must be an origin such as 'https://app.example', 'https://*.example.com' or 'http://localhost:*', in lower case and without a path, not '${rule}'`
  }
  if (`${scheme}:${port}` === 'http:80' || `${scheme}:${port}` === 'https:443') {
    return `must leave out the port that ${scheme} has anyway: browsers do`
  }
  return undefined
}

/** One test for all rules; exact origins, which most are, cost one look into a set. */
export function compileOrigins(rules: readonly OriginRule[]): OriginTest {
  const exact = new Set<string>()
  const tests: OriginTest[] = []
  for (const rule of rules) {
    if (typeof rule === 'function') tests.push(rule)
    else if (typeof rule !== 'string') tests.push(wholly(rule))
    else if (rule.includes('*')) tests.push(wildcard(rule))
    else exact.add(rule)
  }
  if (tests.length === 0) return origin => exact.has(origin)
  return origin => exact.has(origin) || tests.some(test => test(origin))
}

/** `/example\.com/` is meant for that host, and must not let `https://example.com.evil.test` in. */
function wholly(rule: RegExp): OriginTest {
  // A flag `g` or `y` would make the answer depend on the one before.
  const expression = new RegExp(`^(?:${rule.source})$`, rule.flags.replace(/[gym]/g, ''))
  return origin => expression.test(origin)
}

function wildcard(rule: string): OriginTest {
  const [, scheme = '', subdomains, host = '', port] = originPattern.exec(rule) ?? []
  const escaped = host.replace(/[.[\]]/g, '\\$&')
  const ports = port === '*' ? '(?::\\d{1,5})?' : port === undefined ? '' : `:${port}`
  const expression = new RegExp(
    `^${scheme.replace(/[+.]/g, '\\$&')}://${subdomains === undefined ? '' : '(?:[a-z0-9_-]+\\.)+'}${escaped}${ports}$`,
  )
  return origin => expression.test(origin)
}
