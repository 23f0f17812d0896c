import { createHmac, randomBytes } from 'node:crypto'
import { Secret, type Shared } from '@gateway/core'
import type { MethodHost } from './verdict.ts'

const salt: Shared<Buffer> = { name: 'auth.salt', create: () => randomBytes(32) }

/**
 * A name for state that depends on all of these options: other options, other state, and no way back from the name to a
 * secret among them.
 */
export function shareName(host: MethodHost, kind: string, options: unknown): string {
  // A Secret shows its name alone in JSON, and two secrets may bear one name.
  const text = JSON.stringify(options, function (this: Readonly<Record<string, unknown>>, key, shown: unknown) {
    const value = this[key]
    return value instanceof Secret ? [value.name, value.value] : shown
  })
  return `auth.${kind}:${createHmac('sha256', host.share(salt)).update(text).digest('base64url').slice(0, 22)}`
}
