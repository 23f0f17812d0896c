import type { TargetSpec } from '@gateway/core'
import * as z from 'zod'
import { consulOptions } from './consul-options.ts'
import { watchConsul } from './consul-watch.ts'
import { defineProvider } from './define-provider.ts'
import { inUrl } from './in-url.ts'

const text = z.string().nullish()
const locality = z.object({ Zone: text }).nullish()

/** An instance as `/v1/health/service` lists it, of what matters. */
const instance = z.object({
  Node: z.object({ Node: text, Address: text, Locality: locality }),
  Service: z.object({
    ID: text,
    Address: text,
    Port: z.number().nullish(),
    Meta: z.record(z.string(), z.string()).nullish(),
    Weights: z.object({ Passing: z.number().min(0), Warning: z.number().min(0) }).nullish(),
    Locality: locality,
  }),
  Checks: z.array(z.object({ Status: z.string() })).nullish(),
})
type Instance = z.output<typeof instance>

/** Targets from the instances of a service that Consul holds healthy. */
export const consul = defineProvider({
  name: 'consul',
  options: consulOptions,
  asked: ({ scheme: _, service, ...asked }, name) => ({ ...asked, service: service ?? name }),
  open: watchConsul,
  targets: (found: readonly unknown[], { scheme }, _service, leaveOut): readonly TargetSpec[] =>
    found.flatMap((given, index) => {
      const { success, data, error } = instance.safeParse(given)
      if (!success) {
        const [issue] = error.issues
        leaveOut(`instance ${index}`, `${issue?.path.join('.')} ${issue?.message}`)
        return []
      }
      const { Node, Service, Checks } = data
      const states = new Set(Checks?.map(({ Status }) => Status))
      // Only where those in a warning are wanted are there others than passing ones among them.
      if (states.has('critical')) return []
      const host = Service.Address || Node.Address
      if (!host || !Service.Port) {
        leaveOut(`instance ${Service.ID || index}`, host ? 'it has no port' : 'it has no address')
        return []
      }
      const zone = Service.Locality?.Zone || Node.Locality?.Zone || undefined
      return {
        url: `${scheme}://${inUrl(host)}:${Service.Port}`,
        weight: weightOf(data, states.has('warning')),
        ...(zone !== undefined && { zone }),
        metadata: Service.Meta ?? {},
      }
    }),
})

function weightOf({ Service: { Weights } }: Instance, isWarned: boolean): number {
  return (isWarned ? Weights?.Warning : Weights?.Passing) ?? 1
}
