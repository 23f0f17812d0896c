import { types } from 'node:util'
import { isSameSecret, Secret } from './environment/secret.ts'

/** Deeper than any config that somebody wrote: what leads in circles ends here. */
const mostDeep = 40

/**
 * Whether two values say the same. Plain objects, arrays, RegExps, Dates, bytes and secrets compare by content; all else,
 * functions and instances of classes among them, by identity: equal source text is not equal behaviour, since what a
 * function closes over may differ.
 */
export function equal(a: unknown, b: unknown, depth = 0): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || depth > mostDeep) return false
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => equal(item, b[i], depth + 1))
  }
  if (isPlain(a)) return isPlain(b) && sameFields(a, b, depth)
  if (a instanceof Secret) return b instanceof Secret && isSameSecret(a, b)
  if (types.isRegExp(a)) return types.isRegExp(b) && String(a) === String(b)
  if (types.isDate(a)) return types.isDate(b) && a.getTime() === b.getTime()
  return types.isUint8Array(a) && types.isUint8Array(b) && Buffer.compare(a, b) === 0
}

/** Without lists of the keys, since a reload of 10,000 routes compares tens of thousands of objects. Plain ones inherit none. */
function sameFields(a: Record<string, unknown>, b: Record<string, unknown>, depth: number): boolean {
  let fields = 0
  for (const key in a) {
    if (!Object.hasOwn(b, key) || !equal(a[key], b[key], depth + 1)) return false
    fields++
  }
  for (const _ in b) fields--
  return fields === 0
}

/** The older of two values that say the same: whoever holds it already keeps the object. */
export function keep<T>(before: T | undefined, now: T): T {
  return before !== undefined && equal(before, now) ? before : now
}

/** The value with copies of all that {@link equal} compares by content, so that later changes to it do not show in it. */
export function snapshot(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || depth > mostDeep) return value
  if (Array.isArray(value)) return value.map(item => snapshot(item, depth + 1))
  if (isPlain(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, snapshot(item, depth + 1)]))
  }
  return types.isUint8Array(value) ? value.slice() : types.isDate(value) ? new Date(value) : value
}

function isPlain(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
