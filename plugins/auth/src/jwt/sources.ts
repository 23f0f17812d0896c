import type { Log, Secret } from '@gateway/core'
import { WatchedFile } from '../watched-file.ts'
import type { KeySource } from './key-ring.ts'
import { type KeySet, keyOfSecret, keysInJson, keysInPem, keysInText, type VerificationKey } from './keys.ts'

/** Keys that stand in the config: PEM texts and JWKs. */
export function inlineKeys(list: readonly (string | object)[]): KeySource {
  const keys = list.flatMap((item, index) =>
    mustBeGood(typeof item === 'string' ? keysInPem(item) : keysInJson(item, { symmetric: false }), `keys[${index}]`),
  )
  return { keys }
}

/** Keys in a file, PEM or JSON, as it is now. */
export function fileKeys(path: string, log: Log): KeySource {
  const file = new WatchedFile(path, text => mustBeGood(keysInText(text), 'it'), log)
  return {
    get keys() {
      return file.value
    },
    check: () => file.check(),
  }
}

export interface HmacOptions {
  readonly secrets: readonly Secret[]
  readonly encoding: 'utf8' | 'base64' | 'base64url' | 'hex'
  readonly allowShort: boolean
}

/** HMAC secrets, followed when they rotate. A new one that is of no use leaves the old one in force. */
export function hmacKeys({ secrets, encoding, allowShort }: HmacOptions, log: Log): KeySource {
  const make = () => secrets.map(({ value }) => keyOfSecret(Buffer.from(value, encoding), allowShort))
  let seen = secrets.map(({ value }) => value)
  let keys: readonly VerificationKey[]
  try {
    keys = make()
  } catch (error) {
    throw new TypeError(`secret ${error instanceof Error ? error.message : error}`)
  }
  return {
    get keys() {
      if (secrets.some(({ value }, index) => value !== seen[index])) {
        seen = secrets.map(({ value }) => value)
        try {
          keys = make()
        } catch (error) {
          log.warn('a new secret for tokens is of no use, the old one stays', { err: error })
        }
      }
      return keys
    },
  }
}

/** What an operator gave by hand is used as a whole or refused. */
function mustBeGood({ keys, faults }: KeySet, what: string): readonly VerificationKey[] {
  if (faults.length > 0) throw new TypeError(`${what}: ${faults.join('; ')}`)
  if (keys.length === 0) throw new TypeError(`${what}: there is no key`)
  return keys
}
