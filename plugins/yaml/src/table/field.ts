import type { Node } from '../read/node.ts'
import type { Given } from './given.ts'

/** What every field may say of itself. The JSON Schema and messages are made of it. */
export interface About {
  /** What the key does, in a line. */
  readonly says?: string
  /** What holds where the key is absent; for the reader of the schema only. */
  readonly default?: unknown
  readonly unit?: 's' | 'ms' | 'bytes'
  readonly required?: boolean
  /**
   * Why the key does nothing here. `quiet`: it tunes the Go program and asks for nothing that clients see; of all others
   * a warning tells.
   */
  readonly noEffect?: string
  readonly quiet?: boolean
}

interface NumberAbout extends About {
  readonly min?: number
  readonly max?: number
}

/** Names of the scalar types, with what they are read as. */
interface LeafTypes {
  text: string
  integer: number
  number: number
  flag: boolean
  texts: readonly string[]
  integers: readonly number[]
}

export interface Leaf<T> extends NumberAbout {
  readonly kind: 'leaf'
  readonly type: keyof LeafTypes
  readonly oneOf?: readonly T[]
  /** A lone text is taken for a list of one. */
  readonly lone?: boolean
}

/** Which options of a plugin stand under its name: those of routes, or those of services. */
export type PluginOptions = 'route' | 'service'

/** A mapping with known keys. */
export interface Table<K extends Fields> extends About {
  readonly kind: 'table'
  readonly keys: K
  /** Names of plugins are keys as well, with the options that these take here. */
  readonly plugins?: PluginOptions
}

export interface List<F extends Field> extends About {
  readonly kind: 'list'
  readonly item: F
}

/** A mapping whose keys are names. */
export interface MapOf<F extends Field> extends About {
  readonly kind: 'map'
  readonly item: F
}

/** Anything: checked by whom it is handed to, as a rule the schema of a plugin. */
export interface Anything extends About {
  readonly kind: 'anything'
}

/** By what the value is: a scalar, a mapping or a list. A form that is missing is refused. */
export interface Either<S extends Field, M extends Field, L extends Field> extends About {
  readonly kind: 'either'
  readonly scalar?: S
  readonly mapping?: M
  readonly list?: L
}

export type Field = Leaf<unknown> | Table<Fields> | List<Field> | MapOf<Field> | Anything | Either<Field, Field, Field>
export type Fields = { readonly [key: string]: Field }

/** What is read by a field, where it is there and right. */
export type GivenOf<F> = Field extends F
  ? unknown
  : F extends { readonly kind: 'leaf' }
    ? F extends Leaf<infer T>
      ? Given<T>
      : never
    : F extends { readonly kind: 'table'; readonly keys: infer K extends Fields }
      ? GivenTable<K>
      : F extends { readonly kind: 'list'; readonly item: infer I }
        ? GivenList<I>
        : F extends { readonly kind: 'map'; readonly item: infer I }
          ? GivenMap<I>
          : F extends { readonly kind: 'anything' }
            ? Given<unknown>
            : F extends Either<infer S, infer M, infer L>
              ? GivenOf<S> | GivenOf<M> | GivenOf<L>
              : never

/** Where it stands, and the options of plugins by their names (see {@link Table.plugins}). */
export const node: unique symbol = Symbol('node')
export const ofPlugins: unique symbol = Symbol('options of plugins')

export type GivenKeys<K extends Fields> = { readonly [P in keyof K]?: GivenOf<K[P]> | undefined }
export type GivenTable<K extends Fields> = GivenKeys<K> & {
  readonly [node]: Node
  readonly [ofPlugins]: ReadonlyMap<string, Given<unknown>>
}
export type GivenList<F> = readonly GivenOf<F>[] & { readonly [node]: Node }
export type GivenMap<F> = ReadonlyMap<string, GivenOf<F>> & { readonly [node]: Node }

export function text<const T extends string = string>(about: About & { readonly oneOf?: readonly T[] } = {}): Leaf<T> {
  return { kind: 'leaf', type: 'text', ...about }
}
export function integer(about: NumberAbout = {}): Leaf<number> {
  return { kind: 'leaf', type: 'integer', ...about }
}
/** A whole number of seconds. */
export function seconds(about: NumberAbout = {}): Leaf<number> {
  return { kind: 'leaf', type: 'integer', unit: 's', ...about }
}
export function number(about: NumberAbout = {}): Leaf<number> {
  return { kind: 'leaf', type: 'number', ...about }
}
export function flag(about: About = {}): Leaf<boolean> {
  return { kind: 'leaf', type: 'flag', ...about }
}
export function texts(about: About & { readonly lone?: boolean } = {}): Leaf<readonly string[]> {
  return { kind: 'leaf', type: 'texts', ...about }
}
/** @public */
export function integers(about: About = {}): Leaf<readonly number[]> {
  return { kind: 'leaf', type: 'integers', ...about }
}
export function table<const K extends Fields>(
  keys: K,
  about: About & { readonly plugins?: PluginOptions } = {},
): Table<K> {
  return { kind: 'table', keys, ...about }
}
export function list<F extends Field>(item: F, about: About = {}): List<F> {
  return { kind: 'list', item, ...about }
}
/** @public */
export function mapOf<F extends Field>(item: F, about: About = {}): MapOf<F> {
  return { kind: 'map', item, ...about }
}
export function anything(about: About = {}): Anything {
  return { kind: 'anything', ...about }
}
export function either<S extends Field = never, M extends Field = never, L extends Field = never>(
  forms: { readonly scalar?: S; readonly mapping?: M; readonly list?: L },
  about: About = {},
): Either<S, M, L> {
  return { kind: 'either', ...forms, ...about }
}
