/**
 * A typed place on the request through which plugins hand values on: one plugin writes it, whoever lists it in `needs`
 * may rely on it. Two slots of one name are the same slot, also across reloads and across two copies of a package.
 */
export interface Slot<in out T, Name extends string = string> {
  readonly name: Name
  /** Position in a context's slot array. */
  readonly index: number
  /** Type only. Makes a slot invariant in its value. */
  readonly '~value'?: (value: T) => T
}

// biome-ignore lint/suspicious/noExplicitAny: invariant in T, so no other argument accepts every slot
export type AnySlot = Slot<any>
export type SlotValue<S> = S extends Slot<infer T, string> ? T : never

// By name and for the life of the process: a plugin that is loaded again must find the places of its first load.
const indexes = new Map<string, number>()

/**
 * Declares a slot: `export const user = defineSlot<User>()('auth.user')`. Names are `plugin.value`.
 * The two calls let the name be inferred while the value's type is given.
 */
export function defineSlot<T>(): <const Name extends string>(name: Name) => Slot<T, Name> {
  return name => {
    const index = indexes.get(name) ?? indexes.size
    indexes.set(name, index)
    return { name, index }
  }
}

/** How many slots have been declared: the length that a context's slot array needs. */
export function slotCount(): number {
  return indexes.size
}
