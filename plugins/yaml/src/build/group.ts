import type { IrSpot, ObjectIr } from '../ir/ir.ts'
import type { Input } from '../ir/make-ir.ts'
import { Draft } from './draft.ts'

/**
 * What is one thing in the YAML and may be several here: a service, balanced in another way for some of the rules that use
 * it; a rule, whose path takes two patterns. What is set on the group holds for all of them.
 */
export class Group {
  readonly name: string
  readonly at: IrSpot
  readonly #common: Draft
  readonly #members = new Map<string, Draft>()

  constructor(name: string, at: IrSpot) {
    this.name = name
    this.at = at
    this.#common = new Draft(at)
  }

  /** On every member, also on those to come. See {@link Draft.set}. */
  set(path: string, input: Input): void {
    this.#common.set(path, input)
  }

  has(key: string): boolean {
    return this.#common.has(key)
  }

  /** A member by its name in the config, made where there is none. What it sets wins. */
  member(name: string): Draft {
    const known = this.#members.get(name)
    if (known !== undefined) return known
    const made = new Draft(this.at)
    this.#members.set(name, made)
    return made
  }

  drafts(): Iterable<Draft> {
    return this.#members.values()
  }

  /** What this comes to in the config, by name. Without members it is one thing. */
  *members(): Generator<[string, ObjectIr]> {
    if (this.#members.size === 0) yield [this.name, this.#common.toIr()]
    for (const [name, draft] of this.#members) yield [name, this.#common.toIr(draft)]
  }
}
