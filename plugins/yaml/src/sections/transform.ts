import type { Builder } from '../build/builder.ts'
import type { Draft } from '../build/draft.ts'
import type { Input } from '../ir/make-ir.ts'
import { goPattern } from '../rules/go-pattern.ts'
import { covers, divideRules, patternScope, type Scope } from '../rules/scope.ts'
import { anything, flag, type GivenOf, list, mapOf, node, table, text, texts } from '../table/field.ts'
import type { Given } from '../table/given.ts'

const operation = table({
  type: text({ says: 'What is done.', required: true, oneOf: ['add', 'remove', 'rename', 'modify', 'filter'] }),
  path: text({ says: 'Where in the body: `user.name`.' }),
  value: anything({ says: 'What is put there.' }),
  from: text({ says: 'Of rename.' }),
  to: text({ says: 'Of rename.' }),
  script: text({ says: 'Of filter.' }),
})

const ruleTable = table({
  headers: table({
    add: mapOf(text(), { says: 'Fields that are set.' }),
    remove: texts({ says: 'Fields that are removed.' }),
    rename: mapOf(text(), { says: 'New names by old ones.' }),
    modify: mapOf(text(), { says: 'By name, an expression: what of a value it finds is removed.' }),
  }),
  body: table({
    format: text({ says: 'Of bodies that are changed.', default: 'json' }),
    operations: list(operation, { says: 'Changes of JSON, in this order.' }),
  }),
  conditions: list(table({ header: text(), value: text(), contentType: text(), method: text() }), {
    says: 'All of which have to hold.',
  }),
})
type GivenRule = GivenOf<typeof ruleTable>

const byPath = mapOf(ruleTable, { says: 'By path: one alone, or all that begin with what stands before a *.' })

export const transformTable = table({
  enabled: flag({ says: 'Whether messages are changed.', default: false }),
  request: byPath,
  response: byPath,
  globalRequest: ruleTable,
  globalResponse: ruleTable,
})

type Kind = 'request' | 'response'
type Change = { readonly [key: string]: Input }

/** Of several paths the most specific one counts, and what is global where none does. */
export function mapTransform(given: GivenOf<typeof transformTable> | undefined, gateway: Builder): void {
  if (given?.enabled?.value !== true) return
  const everywhere = gateway.plugin('@gateway/transform', 'transform', given[node])
  for (const kind of ['request', 'response'] as const) {
    const rule = kind === 'request' ? given.globalRequest : given.globalResponse
    const common = rule && changeOf(kind, rule, gateway)
    everywhere.set(kind, common)
    const scoped = [...(given[kind] ?? [])].map(([path, rule]) => {
      const scope = patternScope(path)
      return { scope, change: changeOf(kind, rule, gateway) }
    })
    scoped.sort((a, b) => compareScopes(a.scope, b.scope))
    for (const { scope } of scoped) divideRules(gateway, scope)
    gateway.everyRoute((route, path) => {
      const own = scoped.find(({ scope }) => covers(scope, path))?.change
      if (isStream(route)) setForStream(route, kind, own ?? common)
      else route.set(`transform.${kind}`, own)
    })
  }
}

/** The more specific one first. */
function compareScopes(a: Scope, b: Scope): number {
  return Number(b.exact) - Number(a.exact) || b.text.length - a.text.length
}

const isStream = (route: Draft) => route.has('sse') || route.has('websocket')

/** What has no end cannot be held back until it is whole. */
function setForStream(route: Draft, kind: Kind, change: Change | undefined): void {
  if (change === undefined) return
  const { body: _body, ...rest } = change
  route.set(`transform.${kind}`, rest)
}

function changeOf(kind: Kind, { headers, body, conditions }: GivenRule, gateway: Builder): Change {
  const modify = [...(headers?.modify ?? [])].flatMap(([name, pattern]) => {
    const found = patternOf(pattern, gateway)
    return found === undefined ? [] : [[name, { pattern: found }] as const]
  })
  return {
    when: conditions && whenOf(kind, conditions, gateway),
    headers: headers && {
      rename: headers.rename && Object.fromEntries(headers.rename),
      remove: headers.remove,
      replace: modify.length > 0 ? Object.fromEntries(modify) : undefined,
      set: headers.add && Object.fromEntries(headers.add),
    },
    body: bodyOf(body, gateway),
  }
}

function patternOf(pattern: Given<string>, { problems }: Builder): Given<RegExp> | undefined {
  try {
    const expression = goPattern(pattern.value, 'g')
    return pattern.map(() => expression)
  } catch (error) {
    problems.error(pattern, error instanceof Error ? error.message : 'is no regular expression')
    return undefined
  }
}

function whenOf(kind: Kind, conditions: NonNullable<GivenRule['conditions']>, { problems }: Builder): Input {
  const methods = new Set(conditions.flatMap(({ method }) => method?.value.toUpperCase() ?? []))
  const [contentType, other] = conditions.flatMap(({ contentType }) => contentType ?? [])
  if (other !== undefined) problems.error(other, 'is a second content type, and there can be one')
  const method = conditions.find(({ method }) => method !== undefined)?.method
  if (kind === 'response' && method !== undefined)
    problems.unsupported(method, 'of a response, header and contentType can be asked for')
  const headers = conditions.flatMap(({ header, value }) =>
    header === undefined ? [] : [[header.value, value ?? true] as const],
  )
  return {
    // Of two that differ, none is both.
    methods:
      kind === 'request' && method !== undefined ? method.map(() => (methods.size > 1 ? [] : [...methods])) : undefined,
    contentType,
    headers: headers.length > 0 ? Object.fromEntries(headers) : undefined,
  }
}

function bodyOf(body: GivenRule['body'], gateway: Builder): Input {
  const { format, operations } = body ?? {}
  if (format !== undefined && !/^(?:json)?$/i.test(format.value))
    gateway.problems.unsupported(format, 'no bodies but those of JSON are changed')
  const changes = operations?.flatMap(given => operationOf(given, gateway) ?? []) ?? []
  return changes.length > 0 ? changes : undefined
}

function operationOf(given: GivenOf<typeof operation>, { problems }: Builder): Input {
  const { type, path, value, from, to } = given
  const need = (key: string): undefined => {
    problems.error(given[node], `${type?.value} needs "${key}"`, { code: 'CONFIG_MISSING_KEY' })
  }
  if (type === undefined) return undefined
  if (type.value === 'filter') {
    problems.unsupported(given[node], 'scripts in a file are not run')
    return undefined
  }
  if (type.value === 'rename') {
    const old = from ?? path
    if (old === undefined) return need('from')
    return to === undefined ? need('to') : { rename: plainPath(old), to: plainPath(to) }
  }
  if (path === undefined) return need('path')
  if (type.value === 'remove') return { remove: plainPath(path) }
  if (value === undefined) return need('value')
  return type.value === 'add' ? { set: plainPath(path), value } : { replace: plainPath(path), value }
}

/** The root may have a name. */
const plainPath = (path: Given<string>) => path.map(text => text.replace(/^\$\./, ''))
