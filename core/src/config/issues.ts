import type * as z from 'zod'
import type { Schema, SchemaIssue } from '../contract/schema.ts'
import { type Problem, suggest } from './problem.ts'

export type ConfigPath = readonly (string | number)[]
export type Report = (problem: Omit<Problem, 'severity'> & { severity?: Problem['severity'] }) => void

/**
 * Checks a value against a Standard Schema and reports what is wrong with it below `path`. Undefined when anything was.
 * A validator that answers with a promise is refused: a config has to be decided without waiting.
 */
export function validate(
  schema: Schema,
  value: unknown,
  path: ConfigPath,
  report: Report,
): { value: unknown } | undefined {
  const result = schema['~standard'].validate(value)
  if (result instanceof Promise) {
    report({
      code: 'CONFIG_ASYNC_SCHEMA',
      message: 'is checked by an asynchronous schema: use a synchronous one',
      path,
    })
    return undefined
  }
  if (result.issues === undefined) return { value: result.value }
  for (const issue of result.issues) reportIssue(issue, schema, path, report)
  return undefined
}

/** What zod tells beyond the standard. */
type ZodIssue = z.core.$ZodIssue

function isZodIssue(issue: SchemaIssue): issue is SchemaIssue & ZodIssue {
  return 'code' in issue && typeof issue.code === 'string'
}

function reportIssue(issue: SchemaIssue, schema: Schema, path: ConfigPath, report: Report): void {
  const at = [...path, ...pathOf(issue)]
  if (!isZodIssue(issue)) return report({ code: 'CONFIG_INVALID_VALUE', message: issue.message, path: at })
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, pathOf(issue))
    for (const key of issue.keys) report(unknownKey(key, at, known))
    return
  }
  if (issue.code === 'invalid_key') {
    for (const inner of issue.issues) report({ code: 'CONFIG_INVALID_KEY', message: inner.message, path: at })
    return
  }
  if (issue.code === 'invalid_union') {
    // The branch that got past the outermost shape is the one that was meant; its complaints say more than the union's.
    const meant = issue.errors.filter(branch =>
      branch.every(inner => inner.path.length > 0 || inner.code === 'unrecognized_keys'),
    )
    const [only] = meant
    if (meant.length === 1 && only !== undefined) {
      for (const inner of only) reportIssue(inner, schema, at, report)
      return
    }
  }
  report({ code: 'CONFIG_INVALID_VALUE', message: readable(issue), path: at })
}

function pathOf(issue: SchemaIssue): (string | number)[] {
  return (issue.path ?? []).map(part => {
    const key = typeof part === 'object' ? part.key : part
    return typeof key === 'symbol' ? String(key) : key
  })
}

export function unknownKey(key: string, path: ConfigPath, known: readonly string[]): Omit<Problem, 'severity'> {
  const near = suggest(key, known)
  const hint =
    near === undefined ? (known.length === 0 ? undefined : `known: ${known.join(', ')}`) : `did you mean "${near}"?`
  return {
    code: 'CONFIG_UNKNOWN_KEY',
    message: `unknown key "${key}"`,
    path: [...path, key],
    ...(hint === undefined ? {} : { hint }),
  }
}

/** The keys a zod object has at a path; nothing for other validators, whose messages have to speak for themselves. */
function knownKeys(schema: unknown, path: ConfigPath): string[] {
  let at: unknown = schema
  for (const key of path) at = child(unwrap(at), key)
  const shape = shapeOf(unwrap(at))
  return shape === undefined ? [] : Object.keys(shape)
}

function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  if (typeof schema !== 'object' || schema === null || !('shape' in schema)) return undefined
  return schema.shape as Record<string, unknown>
}

function child(schema: unknown, key: string | number): unknown {
  const shape = shapeOf(schema)
  if (shape !== undefined && Object.hasOwn(shape, key)) return shape[key]
  return definitionOf(schema)?.['element'] ?? definitionOf(schema)?.['valueType']
}

/** Past optional, default and pipe; of a union the member that is an object. */
function unwrap(schema: unknown): unknown {
  const definition = definitionOf(schema)
  const inner = definition?.['innerType'] ?? definition?.['in']
  if (inner !== undefined) return unwrap(inner)
  const options = definition?.['options']
  return Array.isArray(options) ? (options.map(unwrap).find(option => shapeOf(option) !== undefined) ?? schema) : schema
}

function definitionOf(schema: unknown): Record<string, unknown> | undefined {
  if (typeof schema !== 'object' || schema === null || !('def' in schema)) return undefined
  return schema.def as Record<string, unknown>
}

function readable(issue: ZodIssue): string {
  if (issue.code === 'invalid_type') {
    return issue.input === undefined && issue.message.endsWith('received undefined')
      ? `is missing (expected ${issue.expected})`
      : issue.message.replace(/^Invalid input: expected (\S+), received (.*)$/, 'must be $1, not $2')
  }
  return issue.message
    .replace(/^Invalid (input|option): expected /, 'must be ')
    .replace(/^Invalid input$/, 'is not valid')
}
