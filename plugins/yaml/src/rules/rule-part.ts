import type { Builder } from '../build/builder.ts'
import type { Group } from '../build/group.ts'
import type { Node } from '../read/node.ts'
import type { Fields, GivenKeys } from '../table/field.ts'
import { readKeys, type TableReading } from '../table/read-field.ts'

/** Keys of a rule that belong together, and what they come to on its routes. */
export interface RulePart {
  readonly keys: Fields
  map(rule: Node, reading: TableReading, group: Group, gateway: Builder): void
}

export function rulePart<const K extends Fields>(
  keys: K,
  map: (given: GivenKeys<K>, rule: Group, gateway: Builder) => void,
): RulePart {
  return { keys, map: (node, reading, rule, gateway) => map(readKeys(keys, node, reading), rule, gateway) }
}
