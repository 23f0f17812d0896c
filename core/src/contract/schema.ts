/**
 * An options validator: the Standard Schema interface, version 1 (standardschema.dev). Zod, Valibot, ArkType and others
 * implement it, so a plugin brings whichever it likes. Its input type is what a config may write, its output type what
 * the plugin gets.
 */
export interface Schema<In = unknown, Out = In> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Out> | Promise<SchemaResult<Out>>
    readonly types?: { readonly input: In; readonly output: Out } | undefined
  }
}

export type SchemaResult<Out> =
  | { readonly value: Out; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

type Types<S> = S extends { readonly '~standard': { readonly types?: infer T } } ? NonNullable<T> : undefined
/** What a config may write for a schema; never for no schema. */
export type InputOf<S> = Types<S> extends { readonly input: infer In } ? In : never
/** What a plugin gets from a schema, defaults filled in; undefined for no schema. */
export type OutputOf<S> = Types<S> extends { readonly output: infer Out } ? Out : undefined

/** Options as a function of services: `options` is what a route may write, with `this['service']` for the name of one. */
export interface NamesServices {
  readonly service: string
  readonly options: unknown
}

/** What a config with those services may write. */
export type WithServices<In, Service> = In extends NamesServices ? (In & { readonly service: Service })['options'] : In
