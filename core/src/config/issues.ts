import * as z from 'zod'
import type { Schema, SchemaIssue } from '../contract/schema.ts'
import { readable, type ZodIssue } from './issue-text.ts'
import { type Problem, suggest } from './problem.ts'
import { childSchemas, knownKeys, objectSchemas } from './schema-keys.ts'

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
  try {
    const result = schema['~standard'].validate(value)
    if ('then' in result) {
      // Zod answers with a promise also when a check threw, and the promise then rejects.
      result.then(undefined, () => {})
      const message = 'is checked by a schema that is asynchronous, or that threw: it must answer at once'
      report({ code: 'CONFIG_ASYNC_SCHEMA', message, path })
      return undefined
    }
    if (result.issues === undefined) return { value: result.value }
    if (result.issues.length === 0) report({ code: 'CONFIG_INVALID_VALUE', message: 'is not valid', path })
    const place = { path, value, schemas: [schema] }
    for (const issue of result.issues) reportIssue(issue, schema['~standard'].vendor === 'zod', place, report)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    report({ code: 'CONFIG_INVALID_VALUE', message: `could not be checked, its schema threw: ${reason}`, path })
  }
  return undefined
}

/** {@link validate} for the kernel's own schemas, with their output's type. */
export function parse<S extends z.ZodType>(
  schema: S,
  value: unknown,
  path: ConfigPath,
  report: Report,
): z.output<S> | undefined {
  return validate(schema, value, path, report)?.value as z.output<S> | undefined
}

interface Place {
  readonly path: ConfigPath
  readonly value: unknown
  /** Schemas that apply here: several below a union. */
  readonly schemas: readonly unknown[]
}

function below(place: Place, issue: SchemaIssue): Place {
  let { path, value, schemas } = place
  for (const part of issue.path ?? []) {
    const bare = typeof part === 'object' ? part.key : part
    const key = typeof bare === 'symbol' ? String(bare) : bare
    path = [...path, key]
    value = isRecord(value) || Array.isArray(value) ? Reflect.get(value, bare) : undefined
    schemas = childSchemas(schemas, key)
  }
  return { path, value, schemas }
}

function reportIssue(issue: SchemaIssue, fromZod: boolean, above: Place, report: Report): void {
  const place = below(above, issue)
  const { path, value } = place
  if (!fromZod || !isZodIssue(issue)) return report({ code: 'CONFIG_INVALID_VALUE', message: issue.message, path })
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = knownKeys(place.schemas)
      const form = issue.keys.some(key => known.includes(key)) ? meantForm(place) : undefined
      if (form === undefined) for (const key of issue.keys) report(unknownKey(key, path, known))
      for (const inner of form?.issues ?? []) reportIssue(inner, fromZod, { ...place, schemas: [form?.schema] }, report)
      return
    }
    case 'invalid_key':
      for (const inner of issue.issues) {
        report({ code: 'CONFIG_INVALID_KEY', message: `its name ${readable(inner, path.at(-1))}`, path })
      }
      return
    case 'invalid_element':
      for (const inner of issue.issues) reportIssue(inner, fromZod, place, report)
      return
    case 'invalid_union': {
      const meant = meantBranch(issue.errors)
      if (meant === undefined) break
      for (const inner of meant) reportIssue(inner, fromZod, place, report)
      return
    }
  }
  const near =
    issue.code === 'invalid_value' && typeof value === 'string' ? suggest(value, texts(issue.values)) : undefined
  const hint = near === undefined ? {} : { hint: `did you mean "${near}"?` }
  report({ code: 'CONFIG_INVALID_VALUE', message: readable(issue, value), path, ...hint })
}

function isZodIssue(issue: SchemaIssue): issue is SchemaIssue & ZodIssue {
  return 'code' in issue && typeof issue.code === 'string'
}

/**
 * The form of a union that was meant: its complaints say more than the union's. It is the only one whose outermost shape
 * fits, so that what it misses lies deeper, or else the only one of the right type. Of several shapes it is the one to
 * which the fewest keys are unknown.
 */
function meantBranch(branches: readonly (readonly ZodIssue[])[]): readonly ZodIssue[] | undefined {
  for (const fits of [
    (issue: ZodIssue) => issue.path.length > 0 || issue.code === 'unrecognized_keys',
    (issue: ZodIssue) => issue.path.length > 0 || (issue.code !== 'invalid_type' && issue.code !== 'invalid_value'),
  ]) {
    const fitting = branches.filter(branch => branch.every(fits))
    const least = Math.min(...fitting.map(unknownKeys))
    const meant = fitting.filter(branch => unknownKeys(branch) === least)
    if (meant.length === 1) return meant[0]
  }
  return undefined
}

/**
 * Zod takes the word of the only form of a union that was read to its end, be it that to which all keys are unknown. What
 * the one has to say that was meant.
 */
function meantForm({ schemas, value }: Place): { schema: unknown; issues: readonly ZodIssue[] } | undefined {
  const told = objectSchemas(schemas).flatMap(schema => {
    const issues = z.safeParse(schema, value).error?.issues
    return issues === undefined ? [] : [{ schema, issues }]
  })
  const meant = meantBranch(told.map(({ issues }) => issues))
  return told.find(({ issues }) => issues === meant)
}

const unknownKeys = (complaints: readonly ZodIssue[]) =>
  complaints.flatMap(issue => (issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : [])).length

const texts = (values: readonly unknown[]) => values.filter(value => typeof value === 'string')

export function unknownKey(key: string, path: ConfigPath, known: readonly string[]): Omit<Problem, 'severity'> {
  return {
    code: 'CONFIG_UNKNOWN_KEY',
    message: `unknown key "${key}"`,
    path: [...path, key],
    ...hintFor(key, known, 40),
  }
}

/** A hint for a name that is none of those known. */
export function didYouMean(word: string, known: readonly string[]): { hint?: string } {
  return hintFor(word, known, 20)
}

function hintFor(word: string, known: readonly string[], most: number): { hint?: string } {
  const near = suggest(word, known)
  if (near !== undefined) return { hint: `did you mean "${near}"?` }
  return known.length > 0 && known.length <= most ? { hint: `known: ${known.join(', ')}` } : {}
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
