import { createHash } from 'node:crypto'
import type { Secret } from '@gateway/core'

/** An API key as the plugin auth wants it: by its SHA-256. */
export function keyHash(key: string | Secret): string {
  const text = typeof key === 'string' ? key : key.value
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}
