import { toPlain } from '../table/coerce.ts'
import type { Field, Fields, Leaf, PluginOptions, Table } from '../table/field.ts'

/** JSON Schema, draft 2020-12. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown }

/** What names of plugins may stand for in a table. */
export type PluginKeys = Readonly<Record<PluginOptions, Readonly<Record<string, JsonSchema>>>>

const ref = (name: string) => ({ $ref: `#/$defs/${name}` })

/** What scalars of each type may be. A reference, whose value nobody knows here, may stand for any; null is nothing said. */
export const definitions = {
  reference: {
    type: 'string',
    pattern: '\\$\\{',
    description: `An environment variable: \${NAME} or \${NAME:-default}.`,
  },
  text: { type: ['string', 'number', 'boolean', 'null'] },
  integer: { anyOf: [{ type: ['number', 'null'] }, ref('reference')] },
  number: { anyOf: [{ type: ['number', 'null'] }, ref('reference')] },
  flag: {
    anyOf: [{ enum: [true, false, null, ...['y', 'yes', 'on', 'n', 'no', 'off'].flatMap(casesOf)] }, ref('reference')],
  },
  texts: { type: ['array', 'null'], items: ref('text') },
  integers: { type: ['array', 'null'], items: ref('integer') },
} satisfies Record<Leaf<unknown>['type'] | 'reference', object>

function casesOf(word: string): readonly string[] {
  const capital = word.charAt(0).toUpperCase() + word.slice(1)
  return [...new Set([word, capital, word.toUpperCase()])]
}

/** A field of the catalogue as a schema. It takes what the gateway takes, before references are expanded. */
export function fieldSchema(field: Field, plugins: PluginKeys): JsonSchema {
  return { ...about(field), ...formOf(field, plugins) }
}

function formOf(field: Field, plugins: PluginKeys): { readonly [keyword: string]: unknown } {
  if (field.kind === 'leaf') return leafSchema(field)
  if (field.kind === 'table') return tableSchema(field, plugins)
  if (field.kind === 'list') return { type: ['array', 'null'], items: fieldSchema(field.item, plugins) }
  if (field.kind === 'map') return { type: ['object', 'null'], additionalProperties: fieldSchema(field.item, plugins) }
  if (field.kind === 'anything') return {}
  const forms = [field.scalar, field.mapping, field.list].filter(form => form !== undefined)
  return { anyOf: forms.map(form => fieldSchema(form, plugins)) }
}

export function tableSchema({ keys, plugins: takes }: Table<Fields>, plugins: PluginKeys) {
  const own = Object.entries(keys).map(([key, field]): [string, JsonSchema] => [key, fieldSchema(field, plugins)])
  const required = Object.entries(keys).flatMap(([key, field]) => (field.required ? [key] : []))
  return {
    type: ['object', 'null'],
    // A key of the table is none of a plugin's.
    properties: { ...(takes === undefined ? {} : plugins[takes]), ...Object.fromEntries(own) },
    ...(required.length === 0 ? {} : { required }),
    ...rest,
  }
}

/** Merge keys are the parser's, `x-` is the file's own. */
export const rest = { patternProperties: { '^x-|^<<$': true }, additionalProperties: false }

function leafSchema({ type, oneOf, min, max, lone }: Leaf<unknown>): { readonly [keyword: string]: unknown } {
  if (lone) return { anyOf: [ref(type), ref('text')] }
  if (oneOf !== undefined) {
    // What looks like a number is one to YAML: 1.2 as well as "1.2".
    const words = new Set(oneOf.flatMap(word => [word, plain(String(word))]))
    return { anyOf: [{ enum: [...words, null] }, ref('reference')] }
  }
  const bounds = { ...(min === undefined ? {} : { minimum: min }), ...(max === undefined ? {} : { maximum: max }) }
  return { ...ref(type), ...bounds }
}

function plain(text: string): unknown {
  return toPlain({ kind: 'scalar', source: nowhere, offset: 0, text, plain: true, references: [] })
}

const nowhere = { file: '', place: () => ({ line: 1, column: 1 }) }

const units = { s: 'seconds', ms: 'milliseconds', bytes: 'bytes' }

function about({ says, unit, default: otherwise, noEffect }: Field): { readonly [keyword: string]: unknown } {
  const sentences = [
    ...(says === undefined ? [] : [says]),
    ...(unit === undefined ? [] : [`In ${units[unit]}.`]),
    ...(noEffect === undefined ? [] : [`Has no effect: ${noEffect}.`]),
  ]
  return {
    ...(sentences.length === 0 ? {} : { description: sentences.join(' ') }),
    ...(otherwise === undefined ? {} : { default: otherwise }),
    ...(noEffect === undefined ? {} : { deprecated: true }),
  }
}
