import type { Ir, IrSpot, ObjectIr } from '../ir/ir.ts'
import { call, type Input } from '../ir/make-ir.ts'
import type { Problems } from '../problems.ts'
import type { Node } from '../read/node.ts'
import type { Balancing } from '../rules/balance.ts'
import { Given } from '../table/given.ts'
import { Draft } from './draft.ts'
import { Group } from './group.ts'
import type { Rule } from './rule.ts'

/**
 * What the sections of a file write the config with. In the order of the sections:
 *
 *     gateway.settings.set('timeoutStatus', 408)                       // of the whole gateway
 *     gateway.listener('main').set('port', http.port ?? 8080)          // values that were read bring their place along
 *     gateway.plugin('@gateway/cors', 'cors', at).set('maxAge', cors.maxAge?.map(s => `${s}s`))
 *     gateway.service('users')?.set('health.path', '/healthz')         // a service or rule of the file; undefined: none
 *     gateway.rule('getUser')?.set('retry', { attempts: 3 })
 *     for (const rule of gateway.rules.values()) rule.set('auth', true)
 *     gateway.problems.error(given, 'must not …'); gateway.problems.unsupported(given, 'the plugin "x" does not exist yet')
 *
 * A value is an {@link Input}. Undefined sets nothing, so that what a file leaves out stays with the default here.
 */
export class Builder {
  readonly problems: Problems
  /** Of the config itself: all but listen, plugins, services and routes. */
  readonly settings = new Draft()
  /** Services of the registry by their names. */
  readonly services = new Map<string, Group>()
  /** Rules of the router by their ids. */
  readonly rules = new Map<string, Rule>()
  /** Names of members by what they are balanced by. */
  readonly #balanced = new Map<Group, Map<string, string>>()
  readonly #toServices: ((service: Group) => void)[] = []
  readonly #toRoutes: ((route: Draft, path: string, rule: Rule) => void)[] = []
  readonly #listeners = new Map<string, Draft>()
  readonly #plugins = new Map<string, { readonly from: string; readonly name: string; readonly options: Draft }>()

  /** What is under `gateway` as a whole: the place of what is missing. */
  readonly root: Node
  /** What an environment variable holds; undefined: not set, or empty. */
  readonly variable: (name: string) => string | undefined

  constructor({ problems, root, variable }: Pick<Builder, 'problems' | 'root' | 'variable'>) {
    this.problems = problems
    this.root = root
    this.variable = variable
  }

  service(name: string): Group | undefined {
    return this.services.get(name)
  }

  /** Where the registry knows of services only when they are asked for: has one that a rule names written, too. */
  discover: ((service: Group) => void) | undefined

  /** A service for a rule, which is at `at`. */
  serviceAt(name: string, at: IrSpot): Group | undefined {
    const known = this.services.get(name)
    if (known !== undefined || this.discover === undefined) return known
    const made = this.addService(name, at)
    this.discover(made)
    return made
  }

  /** The name in the config of a service that is balanced in this way; a way that is another than before makes a member. */
  balanced(service: Group, rule: string, { balance, sticky }: Balancing): string {
    const key = JSON.stringify([balance, sticky], (_key, value) => (value instanceof Given ? value.value : value))
    const ways = this.#balanced.get(service) ?? new Map<string, string>()
    this.#balanced.set(service, ways)
    const known = ways.get(key)
    if (known !== undefined) return known
    const name = ways.size === 0 ? service.name : `${service.name} for ${rule}`
    const member = service.member(name)
    member.set('balance', balance)
    if (sticky !== undefined) member.set('balancing.sticky', sticky)
    ways.set(key, name)
    return name
  }

  rule(id: string): Rule | undefined {
    return this.rules.get(id)
  }

  addService(name: string, at: IrSpot): Group {
    const made = new Group(name, at)
    this.services.set(name, made)
    return made
  }

  /** Done to each service in the end, those included that nobody knows of yet. */
  everyService(change: (service: Group) => void): void {
    this.#toServices.push(change)
  }

  /** Done to each route in the end: `path` is its pattern. Those that features added are among them. */
  everyRoute(change: (route: Draft, path: string, rule: Rule) => void): void {
    this.#toRoutes.push(change)
  }

  /** A listener, made where there is none; the first is 'main', the one of frontend.http. */
  listener(name: string, at?: IrSpot): Draft {
    const known = this.#listeners.get(name)
    if (known !== undefined) return known
    const made = new Draft(at)
    this.#listeners.set(name, made)
    return made
  }

  /** The options of a plugin, which is listed by this. `name` is what the package exports. */
  plugin(from: string, name: string, at?: IrSpot): Draft {
    const key = `${from} ${name}`
    const known = this.#plugins.get(key)
    if (known !== undefined) return known.options
    const options = new Draft(at)
    this.#plugins.set(key, { from, name, options })
    return options
  }

  hasPlugin(from: string, name: string): boolean {
    return this.#plugins.has(`${from} ${name}`)
  }

  /** The whole config. */
  config(): ObjectIr {
    for (const change of this.#toServices) for (const service of this.services.values()) change(service)
    for (const change of this.#toRoutes) this.#changeRoutes(change)
    const entries = new Map<string, Ir>()
    const listeners = [...this.#listeners.values()].map(draft => draft.toIr())
    const [only] = listeners
    if (only !== undefined) {
      entries.set('listen', listeners.length === 1 ? only : { kind: 'list', items: listeners })
    }
    for (const [key, value] of this.settings.toIr().entries) entries.set(key, value)
    if (this.#plugins.size > 0) entries.set('plugins', { kind: 'list', items: [...this.#pluginCalls()] })
    if (this.services.size > 0) entries.set('services', this.#table(this.services))
    entries.set('routes', this.#table(this.rules))
    return { kind: 'object', entries }
  }

  #changeRoutes(change: (route: Draft, path: string, rule: Rule) => void): void {
    for (const rule of this.rules.values()) {
      for (const route of rule.drafts()) {
        const match = route.get('match')
        if (match?.kind === 'value') change(route, String(match.value).replace(/^\w+ /, ''), rule)
      }
    }
  }

  *#pluginCalls(): Generator<Ir> {
    for (const { from, name, options } of this.#plugins.values()) {
      const given = options.toIr()
      yield call(from, name, given.entries.size === 0 ? [] : [given], options.at)
    }
  }

  #table(groups: ReadonlyMap<string, Group>): ObjectIr {
    const entries = new Map<string, Ir>()
    for (const group of groups.values()) {
      for (const [name, ir] of group.members()) {
        if (entries.has(name))
          this.problems.error(group.at, `needs the name "${name}", which another has: change its name`)
        entries.set(name, ir)
      }
    }
    return { kind: 'object', entries }
  }
}
