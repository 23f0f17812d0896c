// The kernel's settings are written twice: as types for the editor, as schemas for the check. Here they have to agree.
import type { GatewaySettings, HeaderRules, Listener, PoolLimits, Timeouts } from '@gateway/core'
import type * as z from 'zod'
import type { Service as ServiceInput } from '../../core/src/config/config.ts'
import type * as schema from '../../core/src/config/schema.ts'

type Service = z.ZodObject<typeof schema.serviceShape>
type Settings = z.ZodObject<typeof schema.settingsShape>
type Mutable<T> = T extends readonly (infer Item)[]
  ? Mutable<Item>[]
  : T extends RegExp | ((...args: never) => unknown)
    ? T
    : T extends object
      ? { -readonly [K in keyof T]: Mutable<Exclude<T[K], undefined>> }
      : T
type Same<A, B> = [A, B] extends [B, A] ? true : false
/** Equal but for readonly and for `?: T` against `?: T | undefined`. Keys apart, since optional ones may be missing from what is assigned. */
type Agree<A, B> = Same<keyof A, keyof B> extends true ? Same<Mutable<A>, Mutable<B>> : false
const assert = <_T extends true>() => undefined

assert<Agree<Listener, z.input<typeof schema.listener>>>()
assert<Agree<NonNullable<Listener['limits']>, NonNullable<z.input<typeof schema.listener>['limits']>>>()
assert<
  Agree<
    NonNullable<NonNullable<Listener['limits']>['http2']>,
    NonNullable<NonNullable<z.input<typeof schema.listener>['limits']>['http2']>
  >
>()
assert<Agree<Timeouts, z.input<typeof schema.timeouts>>>()
assert<Agree<HeaderRules, z.input<typeof schema.headerRules>>>()
assert<Agree<PoolLimits, NonNullable<z.input<Service>['pool']>>>()
assert<Agree<Pick<ServiceInput<never>, 'protocol'>, Pick<z.input<Service>, 'protocol'>>>()
// `require` is typed by the plugins' names, where those are known.
assert<Same<keyof GatewaySettings | 'require', keyof z.input<Settings>>>()
assert<Agree<NonNullable<GatewaySettings['log']>, NonNullable<z.input<Settings>['log']>>>()

// @ts-expect-error an optional key more on one side
assert<Agree<{ a?: number }, { a?: number; b?: number }>>()
// @ts-expect-error another type
assert<Agree<{ a?: number }, { a?: string }>>()
