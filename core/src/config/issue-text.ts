import type * as z from 'zod'
import { show } from './schema.ts'

/** An issue as zod tells it; its input is looked up by its path, since zod leaves it out. */
export type ZodIssue = z.core.$ZodIssue

// What zod 4 says by itself, to be read after the place. Whatever a schema says in words of its own stays as it is.
const phrases: readonly (readonly [zod: RegExp, said: (match: RegExpExecArray, input: unknown) => string])[] = [
  [/^Invalid input: expected (.+), received (?:undefined|nonoptional)$/, ([, type = '']) => missing(type)],
  [
    /^Invalid input: expected (.+), received (.+)$/,
    ([, type = '', received = ''], input) => `must be ${typeName(type)}, not ${given(input, received)}`,
  ],
  [/^Invalid (?:input|option): expected (?:one of )?(.+)$/, ([, values = '']) => `must be ${values}`],
  [/^Too (?:small|big): expected \S+ to (be|have) (.+)$/, ([, verb, bound = '']) => `must ${verb} ${inWords(bound)}`],
  [/^Invalid (?:string|number): (must .+)$/, ([, rule = '']) => rule],
  [/^Invalid discriminator value\. Expected (.+)$/, ([, values = '']) => `must be ${values.replaceAll(' | ', ' or ')}`],
  [/^Invalid input: more than one option matched$/, () => 'fits several of the forms it may have: only one may fit'],
  [/^Invalid (?:input|key in .+|value in .+)$/, () => 'is not valid'],
  [/^Invalid (.+)$/, ([, format = '']) => `is not a valid ${format}`],
]

/** What an issue says, as a clause whose subject is the place in the config. */
export function readable(issue: ZodIssue, input: unknown): string {
  if (issue.code === 'invalid_value' && /^Invalid (input|option): /.test(issue.message)) {
    const values = orList(issue.values.map(value => show(value)))
    return input === undefined ? `is missing: it must be ${values}` : `must be ${values}, not ${show(input)}`
  }
  for (const [zod, said] of phrases) {
    const match = zod.exec(issue.message)
    if (match !== null) return said(match, input)
  }
  return issue.message
}

const missing = (type: string) => (type === 'nonoptional' ? 'is missing' : `is missing: it must be ${typeName(type)}`)

const typeNames: Readonly<Record<string, string>> = {
  int: 'a whole number',
  nan: 'NaN',
  null: 'null',
  undefined: 'undefined',
  never: 'absent',
  nonoptional: 'there',
  record: 'an object',
  date: 'a Date',
}

function typeName(type: string): string {
  const name = Object.hasOwn(typeNames, type) ? typeNames[type] : undefined
  return name ?? `${/^[aeiou]/i.test(type) ? 'an' : 'a'} ${type}`
}

/** Never the text of a string: it may be a secret. */
function given(input: unknown, received: string): string {
  return typeof input === 'string' ? 'a string' : input === undefined ? typeName(received) : show(input)
}

function inWords(bound: string): string {
  return bound
    .replace(/^>=/, 'at least ')
    .replace(/^<=/, 'at most ')
    .replace(/^>/, 'more than ')
    .replace(/^</, 'less than ')
}

function orList(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}
