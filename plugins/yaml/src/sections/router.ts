import { suggest } from '@gateway/core'
import type { Builder } from '../build/builder.ts'
import type { Group } from '../build/group.ts'
import { Rule } from '../build/rule.ts'
import type { Input } from '../ir/make-ir.ts'
import { isNull, type Node, valueAt } from '../read/node.ts'
import { type Balancing, loadBalance, readBalancing, sessionAffinity } from '../rules/balance.ts'
import { type Claim, findConflicts } from '../rules/conflicts.ts'
import { speakGrpc } from '../rules/grpc.ts'
import { ruleParts } from '../rules/index.ts'
import { readPath } from '../rules/path-pattern.ts'
import { anything, type Fields, type GivenKeys, list, seconds, table, text, texts } from '../table/field.ts'
import type { Given } from '../table/given.ts'
import { checkKeys, pluginOptions, readField, readKeys } from '../table/read-field.ts'
import type { Section } from './section.ts'
import { inSeconds } from './units.ts'

const ruleKeys = {
  id: text({ says: 'Its name; the path, where there is none.' }),
  path: text({
    says: 'Which paths it takes: `/users`, `/users/:id`, `/users/*`; `/users/` is the whole subtree.',
    required: true,
  }),
  serviceName: text({ says: 'A service of the registry.', required: true }),
  methods: texts({ says: 'Which methods it takes; WEBSOCKET and SSE stand for GET.' }),
  loadBalance,
  sessionAffinity,
  timeout: seconds({
    says: 'For the whole response; 0: for its head alone, by backend.http.responseHeaderTimeout.',
    default: 0,
  }),
  protocol: text({ says: 'What it carries.', default: 'http', oneOf: ['http', 'websocket', 'sse', 'grpc'] }),
  stripPrefix: text({ says: 'The beginning of the path that is not sent on; true: all before its wildcard.' }),
  metadata: anything({ noEffect: 'nothing reads it', quiet: true }),
} as const

type GivenRule = GivenKeys<typeof ruleKeys>

const allKeys: Fields = Object.assign({}, ruleKeys, ...ruleParts.map(({ keys }) => keys))
const known = Object.keys(allKeys)
const routerKeys = { defaultLoadBalance: loadBalance, rules: list(anything()) } as const

/** Comes after the registry. The most specific path wins; the order of the rules says nothing. */
export const router: Section = {
  path: 'router',
  field: table({
    ...routerKeys,
    rules: list(table(allKeys, { plugins: 'route' }), { says: 'Which requests go to which service, at least one.' }),
  }),
  map(node, reading, gateway) {
    const { problems } = gateway
    if (node !== undefined && !isNull(node)) readField(table({}), node.kind === 'mapping' ? undefined : node, reading)
    if (node?.kind === 'mapping') checkKeys(node, Object.keys(routerKeys), reading)
    const { rules = [], defaultLoadBalance } = readKeys(routerKeys, node, reading)
    if (rules.length === 0 && (node === undefined || node.kind === 'mapping')) {
      problems.error(
        valueAt(node, 'rules') ?? node ?? gateway.root,
        'has no rules: list at least one under router.rules',
        {
          code: 'CONFIG_MISSING_KEY',
        },
      )
    }
    const claims: Claim[] = []
    const wishes: Wish[] = []
    for (const { node: item } of rules) {
      if (item.kind !== 'mapping') {
        readField(table({}), item, reading)
        continue
      }
      checkKeys(item, known, reading, true)
      const rule = mapRule(readKeys(ruleKeys, item, reading), item, defaultLoadBalance, wishes, gateway)
      if (rule === undefined) continue
      for (const path of rule.asked.paths) {
        claims.push({ rule: rule.name, at: valueAt(item, 'path') ?? item, path, methods: rule.asked.methods })
      }
      for (const [plugin, options] of pluginOptions(item, allKeys, reading)) rule.set(plugin, options)
      for (const part of ruleParts) part.map(item, reading, rule, gateway)
    }
    writeServices(wishes, gateway)
    reportConflicts(claims, gateway)
  },
}

/** A service for a rule, balanced as that wants it. */
interface Wish {
  readonly rule: Rule
  readonly serviceName: Given<string>
  readonly service: Group
  readonly balancing: Balancing
}

function mapRule(
  given: GivenRule,
  at: Node,
  otherwise: Given<string> | undefined,
  wishes: Wish[],
  gateway: Builder,
): Rule | undefined {
  const { id, path, serviceName, loadBalance = otherwise, sessionAffinity, timeout, protocol, stripPrefix } = given
  if (path === undefined || serviceName === undefined) return undefined
  const { problems } = gateway
  const pattern = readPath(path.value)
  if ('error' in pattern) {
    problems.error(path, pattern.error, { code: 'CONFIG_INVALID_PATH' })
    return undefined
  }
  const name = id?.value ?? path.value
  const twin = gateway.rule(name)
  if (twin !== undefined) {
    const { line } = twin.at.source.place(twin.at.offset)
    const message = `there are two rules "${name}": the first is in line ${line}`
    problems.error(id ?? path, message, { code: 'CONFIG_DUPLICATE_ROUTE' })
    return undefined
  }
  const methods = readMethods(given.methods, gateway)
  const words = [...(given.methods?.value ?? []), protocol?.value].map(word => word?.toUpperCase())
  const isFor = words.includes('SSE') ? 'events' : words.includes('WEBSOCKET') ? 'websockets' : undefined
  const rule = new Rule(name, at, { paths: pattern.paths, methods, isFor, service: serviceName.value })
  gateway.rules.set(name, rule)
  rule.set('service', serviceName)
  const service = serviceOf(serviceName, gateway)
  const balancing = readBalancing(loadBalance, sessionAffinity, gateway)
  rule.balancing = balancing
  if (words.includes('GRPC')) speakGrpc(rule, gateway)
  if (service !== undefined) wishes.push({ rule, serviceName, service, balancing })
  rule.set('timeout', timeout !== undefined && timeout.value > 0 ? wholeTime(timeout) : undefined)
  const [main = ''] = pattern.paths
  rule.set(
    'stripPrefix',
    stripPrefix?.map(prefix => prefixOf(prefix, main)),
  )
  for (const [index, pattern] of rule.asked.paths.entries()) {
    const routeName = index === 0 ? name : `${name} (root)`
    const route = rule.member(routeName)
    rule.routes.set(routeName, pattern)
    writeMatch(route, pattern, methods, path, given.methods)
  }
  return rule
}

/** `match`, and with several methods, `methods`. */
function writeMatch(
  route: ReturnType<Rule['member']>,
  pattern: string,
  methods: readonly string[] | undefined,
  path: Given<unknown>,
  given: Given<unknown> | undefined,
): void {
  const [only] = methods ?? []
  const match = `${methods?.length === 1 ? only : 'ANY'} ${pattern}`
  route.set(
    'match',
    path.map(() => match),
  )
  if (methods !== undefined && methods.length > 1) route.set('methods', given?.map(() => methods) ?? methods)
}

function wholeTime(timeout: Given<number>): Input {
  const time = inSeconds(timeout)
  return { total: time, head: time }
}

function readMethods(
  given: Given<readonly string[]> | undefined,
  { problems }: Builder,
): readonly string[] | undefined {
  if (given === undefined || given.value.length === 0) return undefined
  const known = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
  const methods = given.value
    .map(method => method.toUpperCase())
    .map(method => (method === 'WEBSOCKET' || method === 'SSE' ? 'GET' : method))
  if (methods.some(method => method === '*' || method === 'ANY')) return undefined
  for (const method of methods) {
    if (!known.includes(method))
      problems.error(given, `has an unknown method "${method}"`, {
        code: 'CONFIG_UNKNOWN_METHOD',
        hint: `known: ${known.join(', ')}`,
      })
  }
  return [...new Set(methods)]
}

function prefixOf(prefix: string, pattern: string): string {
  return prefix === 'true' ? pattern.replace(/\/?\*$/, '').replace(/\/:.*$/, '') : prefix
}

/** Rules whose service is balanced in no way of their own come first: that one has the name of the service. */
function writeServices(wishes: readonly Wish[], gateway: Builder): void {
  const isPlain = ({ balancing }: Wish) => balancing.balance === undefined && balancing.sticky === undefined
  for (const wish of [...wishes.filter(isPlain), ...wishes.filter(wish => !isPlain(wish))]) {
    const { rule, serviceName, service, balancing } = wish
    rule.set(
      'service',
      serviceName.map(() => gateway.balanced(service, rule.name, balancing)),
    )
  }
}

function serviceOf(name: Given<string>, gateway: Builder): Group | undefined {
  const service = gateway.serviceAt(name.value, name.node)
  // That there are none at all is told of the registry.
  if (service !== undefined || gateway.services.size === 0) return service
  const near = suggest(name.value, gateway.services.keys())
  const hint = near === undefined ? {} : { hint: `did you mean "${near}"?` }
  gateway.problems.error(name, `there is no service "${name.value}"`, { code: 'CONFIG_UNKNOWN_SERVICE', ...hint })
  return undefined
}

function reportConflicts(claims: readonly Claim[], { problems }: Builder): void {
  for (const [first, second] of findConflicts(claims)) {
    const { line } = first.at.source.place(first.at.offset)
    const message = `the rules "${first.rule}" (line ${line}) and "${second.rule}" both take some paths, and neither is more specific: ${first.path} and ${second.path}`
    problems.error(second.at, message, {
      code: 'CONFIG_ROUTE_CONFLICT',
      hint: 'Change one of the paths, or let them take different methods.',
    })
  }
}
