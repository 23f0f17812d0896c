import type { Builder } from '../build/builder.ts'
import type { Rule } from '../build/rule.ts'
import type { Node } from '../read/node.ts'
import type { Fields, GivenKeys } from '../table/field.ts'
import { readKeys, type TableReading } from '../table/read-field.ts'

/** Keys of a rule that belong together, and what they come to on its routes. */
export interface RulePart {
  readonly keys: Fields
  map(node: Node, reading: TableReading, rule: Rule, gateway: Builder): void
}

export function rulePart<const K extends Fields>(
  keys: K,
  map: (given: GivenKeys<K>, rule: Rule, gateway: Builder) => void,
): RulePart {
  return { keys, map: (node, reading, rule, gateway) => map(readKeys(keys, node, reading), rule, gateway) }
}
