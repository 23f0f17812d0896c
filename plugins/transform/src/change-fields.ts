import type { Context, FieldList } from '@gateway/core'
import type { FieldChanges, QueryChanges } from './options.ts'

type Change<T> = (ctx: Context, subject: T) => void
type Value = string | ((ctx: Context) => string | undefined)

const resolve = (value: Value, ctx: Context) => (typeof value === 'function' ? value(ctx) : value)

/** One function for all changes, in the order rename, remove, replace, set, append. */
export function fieldChanges(changes: FieldChanges | undefined): Change<FieldList> | undefined {
  if (changes === undefined) return undefined
  const { rename = {}, remove = [], replace = {}, set = {}, append = {} } = changes
  const steps: Change<FieldList>[] = [
    ...Object.entries(rename).map(
      ([from, to]): Change<FieldList> =>
        (_, headers) =>
          renameField(headers, from, to),
    ),
    ...remove.map(
      (name): Change<FieldList> =>
        (_, headers) =>
          headers.delete(name),
    ),
    ...Object.entries(replace).map(
      ([name, { pattern, with: text }]): Change<FieldList> =>
        (_, headers) => {
          const values = headers.getAll(name)
          if (values.length === 0) return
          headers.delete(name)
          for (const value of values) headers.append(name, value.replace(pattern, text))
        },
    ),
    ...Object.entries(set).map(
      ([name, value]): Change<FieldList> =>
        (ctx, headers) => {
          const text = resolve(value, ctx)
          if (text !== undefined) headers.set(name, text)
        },
    ),
    ...Object.entries(append).map(
      ([name, value]): Change<FieldList> =>
        (ctx, headers) => {
          const text = resolve(value, ctx)
          if (text !== undefined) headers.append(name, text)
        },
    ),
  ]
  return (ctx, headers) => {
    for (const step of steps) step(ctx, headers)
  }
}

function renameField(headers: FieldList, from: string, to: string): void {
  const values = headers.getAll(from)
  if (values.length === 0) return
  headers.delete(from)
  headers.delete(to)
  for (const value of values) headers.append(to, value)
}

/** Changes a path with its query; parameters that are not touched keep their order, spelling and encoding. */
export function queryChanges(changes: QueryChanges | undefined): ((ctx: Context, path: string) => string) | undefined {
  if (changes === undefined) return undefined
  const { rename = {}, remove = [], set = {} } = changes
  const renamed = new Map(Object.entries(rename))
  const removed = new Set(remove)
  return (ctx, whole) => {
    const mark = whole.indexOf('?')
    const [path, query] = mark === -1 ? [whole, ''] : [whole.slice(0, mark), whole.slice(mark + 1)]
    const added = new Map<string, string>()
    for (const [name, value] of Object.entries(set)) {
      const text = resolve(value, ctx)
      if (text !== undefined) added.set(name, text)
    }
    const kept = query.split('&').flatMap(pair => {
      if (pair === '') return []
      const end = pair.indexOf('=')
      const name = decode(end === -1 ? pair : pair.slice(0, end))
      const to = renamed.get(name)
      if (removed.has(to ?? name) || added.has(to ?? name)) return []
      return [to === undefined ? pair : encodeURIComponent(to) + (end === -1 ? '' : pair.slice(end))]
    })
    for (const [name, value] of added) kept.push(`${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    return kept.length === 0 ? path : `${path}?${kept.join('&')}`
  }
}

/** As the WHATWG's parser of forms reads a name; what is not encoded right stands for itself. */
function decode(text: string): string {
  const spaced = text.replaceAll('+', ' ')
  try {
    return decodeURIComponent(spaced)
  } catch {
    return spaced
  }
}
