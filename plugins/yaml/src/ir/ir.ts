import type { Comments, Spot } from '../read/node.ts'

/**
 * A config as a tree that is data: what `gateway.config.ts` would say, before it is code. It is printed as the module that
 * runs, and as the one that `gateway convert` writes. `at`: the place in the YAML that asked for it; without one, that of
 * what it is in.
 */
export type Ir = ValueIr | ListIr | ObjectIr | CallIr | TemplateIr

export type IrSpot = Spot & { readonly comments?: Comments | undefined }

interface Base {
  readonly at?: IrSpot | undefined
}

export interface ValueIr extends Base {
  readonly kind: 'value'
  readonly value: string | number | boolean | null | RegExp
}

export interface ListIr extends Base {
  readonly kind: 'list'
  readonly items: readonly Ir[]
}

export interface ObjectIr extends Base {
  readonly kind: 'object'
  readonly entries: ReadonlyMap<string, Ir>
  /** Where its keys stand, of those that the file wrote. */
  readonly keys?: ReadonlyMap<string, Spot>
}

/** `name(...args)`, with `name` imported from a package. A name may have a member: `secret.file`. */
export interface CallIr extends Base {
  readonly kind: 'call'
  readonly from: string
  readonly name: string
  readonly args: readonly Ir[]
}

/** A text made of texts, which are values, and of calls. */
export interface TemplateIr extends Base {
  readonly kind: 'template'
  readonly parts: readonly (ValueIr | CallIr)[]
}
