import type { Context, ResponseHead } from '@gateway/core'
import type { Rules, SecurityHeaders } from './rules.ts'

/** What is to be done to an answer's head, or undefined when there is nothing. */
export function responseMarks(rules: Rules): ((ctx: Context, head: ResponseHead) => void) | undefined {
  const hidden = rules.hideHeaders ?? []
  const { securityHeaders } = rules
  const fields = securityHeaders ? fieldsOf(securityHeaders) : []
  const maxAge = securityHeaders ? securityHeaders.hsts : false
  const hsts = maxAge ? `max-age=${Math.floor(maxAge / 1000)}` : undefined
  if (hidden.length === 0 && fields.length === 0 && hsts === undefined) return undefined
  return ({ client }, { headers, fromUpstream }) => {
    if (fromUpstream) for (const name of hidden) headers.delete(name)
    for (const [name, value] of fields) if (!headers.has(name)) headers.set(name, value)
    // RFC 6797 section 7.2: never over clear text.
    if (hsts !== undefined && client.scheme === 'https' && !headers.has('strict-transport-security')) {
      headers.set('Strict-Transport-Security', hsts)
    }
  }
}

function fieldsOf(given: SecurityHeaders): [name: string, value: string][] {
  const all = {
    'X-Content-Type-Options': given.contentTypeOptions,
    'X-Frame-Options': given.frameOptions,
    'Referrer-Policy': given.referrerPolicy,
    'Content-Security-Policy': given.contentSecurityPolicy,
    'Permissions-Policy': given.permissionsPolicy,
    'Cross-Origin-Opener-Policy': given.openerPolicy,
    'Cross-Origin-Resource-Policy': given.resourcePolicy,
  }
  return Object.entries(all).flatMap(([name, value]) => (value ? [[name, value] as [string, string]] : []))
}
