import type { Schema } from '@gateway/core'
import type { JsonSchema } from './json-schema.ts'

/** What a validator that implements Standard JSON Schema (standardschema.dev) has beside its `validate`. */
interface Converter {
  input(options: { readonly target: string; readonly libraryOptions: object }): Record<string, unknown>
}

/**
 * The schema of what a config may write for a plugin, if its validator tells: any value where it does not. `at` is where
 * it will stand, for what it refers to within itself.
 */
export function optionsSchema(schema: Schema, at: string): JsonSchema {
  const converter = converterOf(schema)
  if (converter === undefined) return {}
  try {
    // zod: what JSON Schema has no word for, such as a function, is any value.
    const { $schema: _, ...found } = converter.input({
      target: 'draft-2020-12',
      libraryOptions: { unrepresentable: 'any' },
    })
    return moved(found, at) as JsonSchema
  } catch {
    return {}
  }
}

function converterOf({ '~standard': standard }: Schema): Converter | undefined {
  return 'jsonSchema' in standard ? (standard.jsonSchema as Converter) : undefined
}

function moved(value: unknown, at: string): unknown {
  if (Array.isArray(value)) return value.map(item => moved(item, at))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const refers = key === '$ref' && typeof item === 'string' && item.startsWith('#')
      return [key, refers ? at + item.slice(1) : moved(item, at)]
    }),
  )
}
