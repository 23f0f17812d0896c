import { forbiddenTrailers } from '../http1/body-decoder.ts'
import type { Fields } from '../http1/fields.ts'
import { fieldsOf } from './field-list.ts'

/** Trailers as node:http2 delivers them; undefined when none is left that may be one. */
export function trailersOf(list: readonly string[]): Fields | undefined {
  const fields = fieldsOf(list)
  for (const name of forbiddenTrailers) fields.delete(name)
  return fields.size === 0 ? undefined : fields
}
