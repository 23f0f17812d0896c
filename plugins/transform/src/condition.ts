import type { FieldList } from '@gateway/core'
import type { Condition } from './options.ts'

interface Message {
  readonly method?: string
  readonly status?: number
  readonly headers: FieldList
}

/** Whether all of a rule's conditions hold. */
export function compileCondition(
  when: (Condition & { readonly status?: readonly number[] | undefined }) | undefined,
): (message: Message) => boolean {
  if (when === undefined) return () => true
  const { methods, contentType, status } = when
  const fields = Object.entries(when.headers ?? {})
  return ({ method = '', status: given = 0, headers }) =>
    (methods?.includes(method) ?? true) &&
    (status?.includes(given) ?? true) &&
    fields.every(([name, value]) => (value === true ? headers.has(name) : headers.getAll(name).includes(value))) &&
    (contentType === undefined || (headers.get('content-type') ?? '').toLowerCase().includes(contentType))
}
