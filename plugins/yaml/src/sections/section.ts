import type { Builder } from '../build/builder.ts'
import { type Node, nodeAt } from '../read/node.ts'
import type { Field, GivenOf } from '../table/field.ts'
import { readField, type TableReading } from '../table/read-field.ts'

/** A part of the file with a table of its keys and what they come to. */
export interface Section {
  /** Below `gateway`: `frontend.http`. */
  readonly path: string
  /** Also for the JSON Schema, hints and the environment overlay. */
  readonly field: Field
  /** Reads the part, which may be absent, and writes what it comes to. */
  map(node: Node | undefined, reading: TableReading, gateway: Builder): void
}

/** `map` gets undefined where the part is absent. */
export function section<F extends Field>(
  path: string,
  field: F,
  map: (given: GivenOf<F> | undefined, gateway: Builder) => void,
): Section {
  return { path, field, map: (node, reading, gateway) => map(readField(field, node, reading), gateway) }
}

/** Two parts of which one mapper makes something; it runs in the place of the first. */
export function pair<A extends Field, B extends Field>(
  [path, field]: readonly [string, A],
  [otherPath, otherField]: readonly [string, B],
  map: (given: GivenOf<A> | undefined, other: GivenOf<B> | undefined, gateway: Builder) => void,
): readonly [Section, Section] {
  const first: Section = {
    path,
    field,
    map(node, reading, gateway) {
      const other = nodeAt(gateway.root, otherPath)
      map(readField(field, node, reading), readField(otherField, other, reading), gateway)
    },
  }
  return [first, { path: otherPath, field: otherField, map: () => {} }]
}
