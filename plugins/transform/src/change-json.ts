import type { Context } from '@gateway/core'
import type { BodyChanges, Operation } from './options.ts'

declare global {
  // TC39's JSON.parse source text access, in Node since 21; TypeScript's own declarations lack it yet.
  interface JSON {
    rawJSON(text: string): object
    isRawJSON(value: unknown): boolean
  }
}

type Holder = Record<string, unknown> | unknown[]

/** Makes of a body's text the text that goes on. Throws a SyntaxError for what is no JSON. */
export function jsonChanges(changes: BodyChanges): (text: string, ctx: Context) => string {
  if (typeof changes === 'function') {
    return (text, ctx) => stringify(changes(parse(text), ctx))
  }
  return text => {
    const body = parse(text)
    for (const operation of changes) apply(operation, body)
    return stringify(body)
  }
}

/** Integers beyond what a number holds exactly, such as 64-bit ids, go through as they were written. */
function parse(text: string): unknown {
  return JSON.parse(text, (_key, value: unknown, context?: { source?: string }) => {
    if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
    const { source = '' } = context ?? {}
    return /^-?\d+$/.test(source) ? JSON.rawJSON(source) : value
  })
}

function stringify(value: unknown): string {
  // A function that returns nothing leaves no body behind it: null is the JSON for that.
  return JSON.stringify(value) ?? 'null'
}

function apply(operation: Operation, body: unknown): void {
  if ('remove' in operation) return at(body, operation.remove, remove)
  if ('set' in operation) {
    return at(body, operation.set, (holder, key) => put(holder, key, structuredClone(operation.value)), 'create')
  }
  if ('replace' in operation) {
    return at(body, operation.replace, (holder, key) => {
      if (has(holder, key)) put(holder, key, structuredClone(operation.value))
    })
  }
  // Both paths are the same up to the last `*`: each element is moved within itself.
  const { rename, to } = operation
  const shared = rename.lastIndexOf('*') + 1
  const within = shared === 0 ? [body] : holdersAt(body, rename.slice(0, shared).split('.'), 'leave')
  for (const start of within) {
    const rest = (path: string) => (shared === 0 ? path : path.slice(shared + 1))
    at(start, rest(rename), (holder, key) => {
      if (!has(holder, key)) return
      const value: unknown = Reflect.get(holder, key)
      remove(holder, key)
      at(start, rest(to), (other, name) => put(other, name, value), 'create')
    })
  }
}

/** Does something at each place that a path leads to. */
function at(
  body: unknown,
  path: string,
  act: (holder: Holder, key: string) => void,
  missing: 'create' | 'leave' = 'leave',
): void {
  const keys = path.split('.')
  const last = keys.pop() ?? ''
  for (const holder of holdersAt(body, keys, missing)) {
    if (last !== '*') act(holder, last)
    // From the end, so that what is removed does not shift what comes.
    else for (const key of Object.keys(holder).reverse()) act(holder, key)
  }
}

/** The objects and arrays that a path leads to; what is missing on the way is made when that is wanted. */
function holdersAt(body: unknown, keys: readonly string[], missing: 'create' | 'leave'): Holder[] {
  let holders = [body].filter(isHolder)
  for (const key of keys) {
    holders = holders.flatMap(holder => {
      if (missing === 'create' && key !== '*' && !Array.isArray(holder) && !has(holder, key)) put(holder, key, {})
      const names = key === '*' ? Object.keys(holder) : has(holder, key) ? [key] : []
      return names.map((name): unknown => Reflect.get(holder, name)).filter(isHolder)
    })
  }
  return holders
}

const has = (holder: Holder, key: string) => Object.hasOwn(holder, key)

function isHolder(value: unknown): value is Holder {
  return typeof value === 'object' && value !== null && !JSON.isRawJSON(value)
}

function put(holder: Holder, key: string, value: unknown): void {
  // In an array, only an element that is there or the next one: a gap would become nulls.
  if (Array.isArray(holder) && !(/^\d+$/.test(key) && Number(key) <= holder.length)) return
  Reflect.set(holder, key, value)
}

function remove(holder: Holder, key: string): void {
  if (!has(holder, key)) return
  if (Array.isArray(holder)) holder.splice(Number(key), 1)
  else Reflect.deleteProperty(holder, key)
}
