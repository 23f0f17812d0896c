import type { Builder } from '../build/builder.ts'
import type { Rule } from '../build/rule.ts'

/** Some of all paths: those that begin with a text, or one alone. */
export interface Scope {
  readonly text: string
  readonly exact: boolean
}

/** `/public/` and `/public/*` are what is below, `/public` is that and itself, as a prefix list of the Go program has it. */
export function prefixScope(written: string): Scope {
  return { text: written.replace(/\*$/, ''), exact: false }
}

/** `/a` is that path alone, `/a*` all that begin so. */
export function patternScope(written: string): Scope {
  return { text: written.replace(/\*$/, ''), exact: !written.endsWith('*') }
}

/** Whether all paths of a pattern are within. */
export function covers({ text, exact }: Scope, pattern: string): boolean {
  return exact ? pattern === text : literalStart(pattern).startsWith(text)
}

/** What stands before the first parameter or wildcard. */
export function literalStart(pattern: string): string {
  return pattern.replace(/(?<=\/)(?::.*|\*)$/, '')
}

/** Patterns that have the paths of a scope, by whole segments. */
function patternsOf({ text, exact }: Scope): readonly string[] {
  if (exact) return [text]
  return text.endsWith('/') ? [`${text}*`] : [text, `${text}/*`]
}

/**
 * Has each rule that takes paths on both sides of a scope's border take those within by a route of its own, so that every
 * route is either inside or outside.
 */
export function divideRules(gateway: Builder, scope: Scope): void {
  if (!scope.text.startsWith('/')) return
  for (const pattern of patternsOf(scope)) {
    const claims = [...gateway.rules.values()].flatMap(rule =>
      [...rule.routes].map(([name, path]) => ({ rule, name, path })),
    )
    for (const { rule, name, path } of claims) {
      const within = covers(scope, path) ? undefined : common(path, pattern)
      if (within === undefined || within === path) continue
      const nearer = claims.filter(
        other => other.path !== path && includes(path, other.path) && includes(other.path, within),
      )
      const methods = without(
        rule.asked.methods,
        nearer.map(other => other.rule.asked.methods),
      )
      if (methods === 'none') continue
      const routeName = `${name} (${within})`
      const route = rule.variant(name, routeName)
      rule.routes.set(routeName, within)
      route.set('match', `${methods?.length === 1 ? methods[0] : 'ANY'} ${within}`)
      if (methods !== undefined && methods.length > 1) route.set('methods', methods)
    }
  }
}

/** The paths that two patterns have in common, of which the second has no parameters; undefined: none. */
function common(path: string, other: string): string | undefined {
  const segments = path.slice(1).split('/')
  const others = other.slice(1).split('/')
  const found: string[] = []
  for (const [index, segment] of segments.entries()) {
    const literal = others[index]
    const isLast = index === segments.length - 1
    if (literal === undefined) return undefined
    if (literal === '*' && index === others.length - 1) return `/${[...found, ...segments.slice(index)].join('/')}`
    if (segment === '*' && isLast) return `/${[...found, ...others.slice(index)].join('/')}`
    if (segment.startsWith(':') ? literal === '' : segment !== literal) return undefined
    found.push(literal)
  }
  return segments.length === others.length ? `/${found.join('/')}` : undefined
}

type Methods = Rule['asked']['methods']

/** What of the methods is left to a rule by others whose paths are more specific. Beside these ANY is the rest. */
function without(methods: Methods, taken: readonly Methods[]): Methods | 'none' {
  if (taken.some(others => others === undefined)) return 'none'
  const left = methods?.filter(method => !taken.some(others => others?.includes(method)))
  return left?.length === 0 ? 'none' : left
}

/** Whether a pattern takes all that another does. */
function includes(path: string, inner: string): boolean {
  const outers = path.slice(1).split('/')
  const inners = inner.slice(1).split('/')
  const wild = outers.at(-1) === '*'
  if (wild ? inners.length < outers.length : inners.length !== outers.length) return false
  return outers.every((segment, index) => {
    const other = inners[index] ?? ''
    if (segment === '*' && index === outers.length - 1) return true
    return segment.startsWith(':') ? other !== '*' && other !== '' : segment === other
  })
}
