import * as z from 'zod'

/** What can be read off a zod schema about the place that an issue names. Other validators yield nothing. */

/** The schemas that may apply to a key of what these schemas describe. */
export function childSchemas(schemas: readonly unknown[], key: string | number): unknown[] {
  return schemas.flatMap(forms).flatMap(form => {
    const { shape, element, items, rest, valueType, catchall } = definitionOf(form)
    if (isObject(shape) && Object.hasOwn(shape, key)) return [shape[key]]
    if (Array.isArray(items)) return [items[Number(key)] ?? rest]
    return [element ?? valueType ?? catchall]
  })
}

/** The keys that an object at that place may have. */
export function knownKeys(schemas: readonly unknown[]): string[] {
  const keys = schemas.flatMap(forms).flatMap(form => {
    const { shape, keyType } = definitionOf(form)
    // Of a record whose keys are an enumeration.
    return Object.keys(shape ?? definitionOf(keyType).entries ?? {})
  })
  return [...new Set(keys)]
}

/** Those among them that describe an object by its keys. */
export function objectSchemas(schemas: readonly unknown[]): z.core.$ZodObject[] {
  return schemas.flatMap(forms).filter(form => form instanceof z.core.$ZodObject)
}

/** A schema without what it is wrapped in; of a union or an intersection each part, of a pipe both ends. */
function forms(schema: unknown): unknown[] {
  const { type, innerType, in: from, out, options, left, right, getter } = definitionOf(schema)
  if (type === 'lazy' && typeof getter === 'function') return forms(getter())
  const parts = [innerType, from, out, left, right, ...(Array.isArray(options) ? options : [])]
  const inner = parts.filter(part => part !== undefined)
  return inner.length === 0 ? [schema] : inner.flatMap(forms)
}

function definitionOf(schema: unknown): Record<string, unknown> {
  return isObject(schema) && isObject(schema.def) ? schema.def : {}
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
