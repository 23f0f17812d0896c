import type { Builder } from '../build/builder.ts'
import type { Draft } from '../build/draft.ts'
import type { Rule } from '../build/rule.ts'
import { anything, flag, type GivenOf, mapOf, node, table, text } from '../table/field.ts'
import type { Given } from '../table/given.ts'
import { section } from './section.ts'
import { type Asks, asksFor, inPath } from './version-asked.ts'

const deprecated = table({
  message: text({ says: 'Told to clients.' }),
  deprecationDate: text({ says: 'Since when it is deprecated (RFC 3339), told in the field Deprecation.' }),
  sunsetDate: text({ says: 'When it ends (RFC 3339), told in the field Sunset.' }),
  removalDate: text({ says: 'Another name of sunsetDate, where there is none.' }),
})

const mapping = table({
  service: text({ says: 'Which service has this version of all rules.' }),
  pathPrefix: text({ says: 'What paths of this version begin with.' }),
  deprecated: flag({ says: 'Whether it is deprecated.', default: false }),
  transformations: anything({ noEffect: 'they are made by middleware.transform' }),
})

const keys = table({
  enabled: flag({ says: 'Whether clients may choose a version.', default: false }),
  strategy: text({ says: 'What they choose it by.', oneOf: ['path', 'header', 'query', 'accept'] }),
  defaultVersion: text({ says: 'For those who choose none, or one that there is not.' }),
  versionHeader: text({ says: 'The field.', default: 'X-API-Version' }),
  headerName: text({ says: 'Another name of versionHeader.' }),
  versionQuery: text({ says: 'The parameter.', default: 'version' }),
  queryParam: text({ says: 'Another name of versionQuery.' }),
  acceptPattern: text({ says: 'An expression for Accept, with a group for the version.', default: 'version=(\\d+)' }),
  deprecatedVersions: mapOf(deprecated, { says: 'By version.' }),
  versionMappings: mapOf(mapping, { says: 'By version.' }),
})
export type GivenVersioning = GivenOf<typeof keys>

export interface Version {
  readonly name: string
  readonly service: Given<string> | undefined
  /** What is put before paths that are sent on, with a slash before it and none after; empty: nothing. */
  readonly prefix: string
  /** What paths of rules begin with that are for this version alone. */
  readonly below: readonly string[]
  readonly isDefault: boolean
  readonly fields: { readonly [name: string]: string | Given<string> }
  /** What a request for it says. Undefined: what no other does. */
  readonly asks: Asks | undefined
}

/** Comes after all that divides rules: each route becomes one for each version. */
export const versioning = section('versioning', keys, (given, gateway) => {
  if (given?.enabled?.value !== true) return
  const { strategy, defaultVersion, [node]: at } = given
  const lacks = strategy === undefined ? 'strategy' : defaultVersion === undefined ? 'defaultVersion' : undefined
  if (lacks !== undefined) {
    return gateway.problems.error(at, `is enabled and has no "${lacks}"`, { code: 'CONFIG_MISSING_KEY' })
  }
  const versions = versionsOf(given, gateway)
  const taken = new Set<string>()
  const rules = [...gateway.rules.values()].filter(rule => rule.routes.size > 0)
  const routes = rules.flatMap(rule => [...rule.routes].map(([name, path]) => ({ rule, name, path })))
  const paths = new Set(routes.map(({ path }) => path))
  const ownOf = (path: string) => versions.find(({ below }) => below.some(prefix => isBelow(path, prefix)))
  for (const { rule, name, path } of routes) {
    const own = ownOf(path)
    if (own === undefined) continue
    if (isBelow(path, own.prefix)) addShort({ rule, name, path, own, paths, taken }, gateway)
    applyTo(rule.member(name), path, own, rule, gateway)
  }
  for (const { rule, name, path } of routes) {
    if (ownOf(path) !== undefined) continue
    for (const version of versions) {
      for (const wanted of pathsFor(version, path)) {
        if (version.isDefault || (wanted !== path && paths.has(wanted)) || taken.has(`${version.name} ${wanted}`))
          continue
        const suffix = wanted === path ? `version ${version.name}` : wanted
        const route = addRoute(rule, { of: name, name: `${name} (${suffix})`, path: wanted })
        ask(route, version)
        applyTo(route, wanted, version, rule, gateway)
      }
      if (version.isDefault) applyTo(rule.member(name), path, version, rule, gateway)
    }
  }
})

/** Where a rule takes requests for a version: what asks for it in its path is taken by rules for all paths alone. */
function pathsFor({ asks, below }: Version, path: string): readonly string[] {
  if (asks !== undefined) return [path]
  return path === '/*' ? below.map(prefix => `${prefix}/*`) : []
}

interface Short {
  readonly rule: Rule
  readonly name: string
  readonly path: string
  readonly own: Version
  readonly paths: ReadonlySet<string>
  readonly taken: Set<string>
}

/** A rule below a version's prefix also takes requests that leave it out and ask for the version in another way. */
function addShort({ rule, name, path, own, paths, taken }: Short, gateway: Builder): void {
  const short = path.slice(own.prefix.length) || '/'
  if (own.asks === undefined && !own.isDefault) return
  if ((own.isDefault && paths.has(short)) || taken.has(`${own.name} ${short}`)) return
  taken.add(`${own.name} ${short}`)
  const route = addRoute(rule, { of: name, name: `${name} (without ${own.prefix})`, path: short })
  if (!own.isDefault) ask(route, own)
  applyTo(route, short, own, rule, gateway)
}

function addRoute(rule: Rule, { of, name, path }: { of: string; name: string; path: string }): Draft {
  const route = rule.variant(of, name)
  const base = rule.member(of)
  const match = base.get('match')
  const method = match?.kind === 'value' ? String(match.value).split(' ', 1)[0] : 'ANY'
  route.set('match', `${method} ${path}`)
  route.set('methods', base.get('methods'))
  rule.routes.set(name, path)
  return route
}

function ask(route: Draft, { asks }: Version): void {
  if (asks !== undefined) route.in(asks.of).setKey(asks.name, asks.is)
}

/** What is said of a version to clients, and where its requests go. */
function applyTo(route: Draft, path: string, version: Version, rule: Rule, gateway: Builder): void {
  const fields = route.in('responseHeaders')
  for (const [name, value] of Object.entries(version.fields)) fields.in('set').setKey(name, value)
  if (version.asks?.of === 'headers') fields.set('append', { Vary: version.asks.name })
  sendBelow(route, path, version, rule, gateway)
  if (version.service === undefined) return
  const service = gateway.serviceAt(version.service.value, version.service.node)
  if (service === undefined) return
  const name = gateway.balanced(service, rule.name, rule.balancing)
  route.set(
    'service',
    version.service.map(() => name),
  )
}

/** Has a path sent on below the version's prefix. */
function sendBelow(route: Draft, path: string, { prefix, name }: Version, rule: Rule, gateway: Builder): void {
  if (prefix === '' || isBelow(path, prefix)) return
  if (!rule.has('stripPrefix')) return route.set('rewrite', `${prefix}${path}`)
  gateway.problems.unsupported(
    rule.at,
    `of a rule with "stripPrefix", paths are not sent below ${prefix} of version ${name}`,
  )
}

function isBelow(path: string, prefix: string): boolean {
  return prefix !== '' && (path === prefix || path.startsWith(`${prefix}/`))
}

function versionsOf(given: GivenVersioning, gateway: Builder): readonly Version[] {
  const standard = given.defaultVersion?.value ?? ''
  const names = new Set([
    standard,
    ...(given.versionMappings?.keys() ?? []),
    ...(given.deprecatedVersions?.keys() ?? []),
  ])
  for (const { service } of given.versionMappings?.values() ?? []) {
    if (service !== undefined && gateway.serviceAt(service.value, service.node) === undefined)
      gateway.problems.error(service, `there is no service "${service.value}"`, { code: 'CONFIG_UNKNOWN_SERVICE' })
  }
  const asks = asksFor(names, given, gateway)
  return [...names].map(name => {
    const mapped = given.versionMappings?.get(name)
    const prefix = mapped?.pathPrefix?.value.replace(/^\/?/, '/').replace(/\/+$/, '') ?? ''
    return {
      name,
      service: mapped?.service,
      prefix,
      below: given.strategy?.value === 'path' ? inPath(name, names) : [prefix],
      isDefault: name === standard,
      fields: { 'X-API-Version': name, ...deprecationOf(given, name, gateway) },
      asks: asks(name),
    }
  })
}

function deprecationOf(given: GivenVersioning, name: string, gateway: Builder): Version['fields'] {
  const noted = given.deprecatedVersions?.get(name)
  if (noted === undefined && given.versionMappings?.get(name)?.deprecated?.value !== true) return {}
  const since = noted?.deprecationDate && dateOf(noted.deprecationDate, gateway)
  const end = noted?.sunsetDate ?? noted?.removalDate
  const ends = end && dateOf(end, gateway)
  return {
    'X-API-Deprecated': 'true',
    ...(noted?.message && { 'X-API-Deprecation-Message': noted.message }),
    // RFC 9745.
    ...(since && { Deprecation: `@${Math.floor(since.getTime() / 1_000)}` }),
    // RFC 8594.
    ...(ends && { Sunset: ends.toUTCString() }),
  }
}

function dateOf(given: Given<string>, { problems }: Builder): Date | undefined {
  const date = new Date(given.value)
  if (/^\d{4}-\d\d-\d\d/.test(given.value) && !Number.isNaN(date.getTime())) return date
  problems.error(given, 'must be a date such as 2027-01-31T00:00:00Z')
  return undefined
}
