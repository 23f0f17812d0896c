import type { FieldList } from '../contract/context.ts'

/** Header rules of a route as flat lists, so that applying them allocates nothing. */
export interface FieldRules {
  readonly remove: readonly string[]
  readonly set: readonly (readonly [name: string, value: string])[]
  readonly append: readonly (readonly [name: string, value: string])[]
  /** Host is among those set: it is not the target's then. */
  readonly setsHost: boolean
}

export function compileFieldRules(
  rules:
    | { set?: Readonly<Record<string, string>>; append?: Readonly<Record<string, string>>; remove?: readonly string[] }
    | undefined,
): FieldRules | undefined {
  if (rules === undefined) return undefined
  const set = Object.entries(rules.set ?? {})
  return {
    remove: rules.remove ?? [],
    set,
    append: Object.entries(rules.append ?? {}),
    setsHost: set.some(([name]) => name.toLowerCase() === 'host'),
  }
}

export function applyFieldRules(fields: FieldList, rules: FieldRules): void {
  for (const name of rules.remove) fields.delete(name)
  for (const [name, value] of rules.set) fields.set(name, value)
  for (const [name, value] of rules.append) fields.append(name, value)
}
