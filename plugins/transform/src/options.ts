import { type Context, fieldName, size } from '@gateway/core'
import * as z from 'zod'

const fieldText = z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, { error: 'must be text that a header field can hold' })

/** What a value is worked out by, for each request. */
type Work<T> = (ctx: Context) => T
const work = <T>() => z.custom<Work<T>>(value => typeof value === 'function', { error: 'must be a function' })

const pattern = z.union([z.instanceof(RegExp), z.string()]).transform((given, issue) => {
  if (given instanceof RegExp) return given
  try {
    return new RegExp(given, 'g')
  } catch (error) {
    issue.addIssue(error instanceof Error ? error.message : 'is no regular expression')
    return z.NEVER
  }
})
const replacement = z.strictObject({
  /** A regular expression; a string is one that replaces all it finds. */
  pattern,
  /** `$1` and the like stand for what was found. Default: nothing. */
  with: z.string().default(''),
})

const fields = z.strictObject({
  /** Old name to new name; runs first. */
  rename: z.record(fieldName(), fieldName()).optional(),
  remove: z.array(fieldName()).optional(),
  /** Within the values of a field that is there. */
  replace: z.record(fieldName(), replacement).optional(),
  /** Replaces; `undefined` from a function changes nothing. */
  set: z.record(fieldName(), z.union([fieldText, work<string | undefined>()])).optional(),
  /** Adds a line. */
  append: z.record(fieldName(), z.union([fieldText, work<string | undefined>()])).optional(),
})

const query = z.strictObject({
  /** Old name to new name; runs first. */
  rename: z.record(z.string(), z.string()).optional(),
  remove: z.array(z.string()).optional(),
  /** Replaces; `undefined` from a function changes nothing. */
  set: z.record(z.string(), z.union([z.string(), work<string | undefined>()])).optional(),
})

/** `a.b.c`; `*` stands for each element of an array, or each member. */
const path = z
  .string()
  .regex(/^[^.]+(?:\.[^.]+)*$/, { error: "must be a path such as 'user.name' or 'items.*.id'" })
  .refine(text => !text.split('.').includes('__proto__'), { error: 'cannot go through "__proto__"' })

const starsOf = (text: string) => text.slice(0, text.lastIndexOf('*') + 1)

const operation = z.union(
  [
    z.strictObject({ set: path, value: z.json() }),
    z.strictObject({ replace: path, value: z.json() }),
    z.strictObject({ remove: path }),
    z.strictObject({ rename: path, to: path }).refine(({ rename, to }) => starsOf(rename) === starsOf(to), {
      error: "must be the same in both paths up to the last '*'",
      path: ['to'],
    }),
  ],
  { error: 'must be { set, value }, { replace, value }, { remove } or { rename, to }' },
)

export type Operation = z.output<typeof operation>

/** Changes a parsed body; what it returns is sent. */
export type Rework = (body: unknown, ctx: Context) => unknown
const body = z.union([z.array(operation), z.custom<Rework>(value => typeof value === 'function')], {
  error: 'must be an array of operations or a function',
})

const condition = z.strictObject({
  methods: z.array(z.string().toUpperCase()).optional(),
  /** Fields of the message with the value they must have; `true`: any. */
  headers: z.record(fieldName(), z.union([z.string(), z.literal(true)])).optional(),
  /** Part of the Content-Type. */
  contentType: z.string().toLowerCase().optional(),
})

const requestRules = z.strictObject({
  /** All of it has to hold, or the request goes on as it is. */
  when: condition.optional(),
  headers: fields.optional(),
  query: query.optional(),
  /** Within the path that goes upstream, after `rewrite` and `stripPrefix`. */
  path: replacement.optional(),
  /** JSON alone. */
  body: body.optional(),
})

const responseRules = z.strictObject({
  when: condition
    .omit({ methods: true })
    .extend({ status: z.array(z.int().min(100).max(599)).optional() })
    .optional(),
  headers: fields.optional(),
  /** JSON alone. */
  body: body.optional(),
})

export const transformSchema = z.strictObject({
  request: requestRules.optional(),
  response: responseRules.optional(),
  /** Bytes of a body that is changed: it has to be held whole. Default 1mb. */
  maxBodySize: size().prefault('1mb'),
})

export type Transform = z.output<typeof transformSchema>
export type RequestRules = z.output<typeof requestRules>
export type ResponseRules = z.output<typeof responseRules>
export type FieldChanges = z.output<typeof fields>
export type QueryChanges = z.output<typeof query>
export type Condition = z.output<typeof condition>
export type BodyChanges = z.output<typeof body>
