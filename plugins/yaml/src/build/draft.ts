import type { Ir, IrSpot, ObjectIr } from '../ir/ir.ts'
import { type Input, makeIr } from '../ir/make-ir.ts'
import type { Spot } from '../read/node.ts'

/** An object of the config that is still being written. */
export class Draft {
  readonly #entries = new Map<string, Ir | Draft>()
  readonly #keys = new Map<string, Spot>()
  readonly at: IrSpot | undefined

  constructor(at?: IrSpot) {
    this.at = at
  }

  /** Sets what is at a key, or deeper: `set('timeout.total', '10s')` makes the objects on the way. Undefined does nothing. */
  set(path: string, input: Input): void {
    if (input === undefined) return
    const [key = '', ...rest] = path.split('.')
    if (rest.length === 0) this.setKey(key, input)
    else this.in(key).set(rest.join('.'), input)
  }

  /** The same for a key that may hold a dot. */
  setKey(key: string, input: Input): void {
    if (input !== undefined) this.#entries.set(key, makeIr(input, this.at))
  }

  /** The object at a key, made where there is none, as from `at`; one that was set as a whole can be added to. */
  in(key: string, at = this.at): Draft {
    const known = this.#entries.get(key)
    if (known instanceof Draft) return known
    const inner = new Draft(known?.at ?? at)
    if (known?.kind === 'object') inner.take(known)
    this.#entries.set(key, inner)
    return inner
  }

  /** All that an object says. */
  take({ entries, keys = new Map() }: ObjectIr): void {
    for (const [key, ir] of entries) this.#entries.set(key, ir)
    for (const [key, spot] of keys) this.#keys.set(key, spot)
  }

  has(key: string): boolean {
    return this.#entries.has(key)
  }

  /** Whether the object at a key has another in it. */
  asks(key: string, inner: string): boolean {
    const found = this.get(key)
    return found?.kind === 'object' && found.entries.has(inner)
  }

  get(key: string): Ir | undefined {
    const found = this.#entries.get(key)
    return found instanceof Draft ? found.toIr() : found
  }

  /** With what `more` says besides, which wins. */
  toIr(more?: Draft): ObjectIr {
    const all = new Map([...this.#entries, ...(more === undefined ? [] : more.#entries)])
    const entries = new Map([...all].map(([key, value]) => [key, value instanceof Draft ? value.toIr() : value]))
    return {
      kind: 'object',
      entries,
      keys: new Map([...this.#keys, ...(more === undefined ? [] : more.#keys)]),
      at: more?.at ?? this.at,
    }
  }
}
