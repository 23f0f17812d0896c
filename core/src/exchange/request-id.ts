import { randomUUID } from 'node:crypto'

const maxLength = 128

/** The client's X-Request-ID when it is safe to log and to pass on, else a new UUID. */
export function requestId(given: string | undefined): string {
  return given !== undefined && isWellFormed(given) ? given : randomUUID()
}

/** Letters, digits and `._~+/=-:`, at most 128 of them: what ids in use are made of, and nothing that a log or header could trip over. */
function isWellFormed(id: string): boolean {
  if (id.length === 0 || id.length > maxLength) return false
  for (let i = 0; i < id.length; i++) {
    const code = id.charCodeAt(i)
    const alphanumeric =
      (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)
    if (!alphanumeric && !'._~+/=-:'.includes(id.charAt(i))) return false
  }
  return true
}
