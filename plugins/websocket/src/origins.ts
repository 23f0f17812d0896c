import type { Context } from '@gateway/core'

/** Whose pages may connect: an origin as a browser sends it, or a pattern with `*.` in place of subdomains. */
export type OriginRule = string

const form = /^(null|[a-z][a-z0-9+.-]*:\/\/(\*\.)?([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:\d{1,5})?)$/

/** What is wrong with a rule, or undefined. */
export function faultOfOrigin(rule: string): string | undefined {
  if (form.test(rule) && !/^http:.*:80$|^https:.*:443$/.test(rule)) return undefined
  return `must be an origin as browsers send it, such as 'https://app.example' or 'https://*.example.com', not '${rule}'`
}

/** Who has no Origin is no browser, and none of its cookies is at risk. */
export function originTest(origins: '*' | 'same' | readonly OriginRule[]): ((ctx: Context) => boolean) | undefined {
  if (origins === '*') return undefined
  const rules = origins === 'same' ? [] : origins
  const exact = new Set(rules.filter(rule => !rule.includes('*')))
  const patterns = rules.filter(rule => rule.includes('*')).map(rule => rule.split('*') as [string, string])
  return ctx => {
    const origin = ctx.headers.get('origin')
    if (origin === undefined || exact.has(origin)) return true
    if (patterns.some(([start, end]) => origin.startsWith(start) && origin.endsWith(end))) return true
    return origins === 'same' && isSame(origin, ctx.headers.get('host') ?? '')
  }
}

/** Host and port alone: the scheme that a proxy in front of the gateway took off cannot be told. */
function isSame(origin: string, host: string): boolean {
  const page = URL.parse(origin)
  const own = page && URL.parse(`${page.protocol}//${host}`)
  return own !== null && page?.host !== '' && page?.host === own.host
}
