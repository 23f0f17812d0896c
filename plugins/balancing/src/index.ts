import {
  type Context,
  defineExtension,
  definePlugin,
  type Host,
  type ServiceHooks,
  type ServiceView,
} from '@gateway/core'
import { type Latencies, peakEwma } from './ewma.ts'
import { compileHashKey } from './hash-key.ts'
import { hashing } from './hash-table.ts'
import { leastRequests } from './least-requests.ts'
import { createMaglev } from './maglev.ts'
import { narrowing } from './narrow.ts'
import {
  ewmaSchema,
  leastRequestsSchema,
  maglevSchema,
  optionsSchema,
  ringSchema,
  type ServiceOptions,
  serviceSchema,
} from './options.ts'
import { weightedRandom } from './random.ts'
import { createRing } from './ring.ts'
import { type Warmth, warmUp } from './slow-start.ts'
import { type Sticky, stickTo } from './sticky.ts'

const extensions = [
  defineExtension({ point: 'balancer', name: 'random', create: () => weightedRandom(Math.random) }),
  defineExtension({
    point: 'balancer',
    name: 'leastRequests',
    options: leastRequestsSchema,
    create: (_host, { choices }) => leastRequests(choices, Math.random),
  }),
  defineExtension({
    point: 'balancer',
    name: 'ewma',
    options: ewmaSchema,
    create(host, options, service) {
      const name = `balancing.latency ${service}`
      const latencies = host.share<Latencies>({ name, create: () => new Map() })
      return peakEwma(options, latencies, Math.random, () => performance.now())
    },
  }),
  defineExtension({
    point: 'balancer',
    name: 'ringHash',
    options: ringSchema,
    create: (_host, { by, replicas, bound }) =>
      hashing(targets => createRing(targets, { replicas, bound }), compileHashKey(by), Math.random),
  }),
  defineExtension({
    point: 'balancer',
    name: 'maglev',
    options: maglevSchema,
    create: (_host, { by, tableSize }) =>
      hashing(targets => createMaglev(targets, tableSize), compileHashKey(by), Math.random),
  }),
] as const

/**
 * Balancers beside the kernel's own, chosen by a service's `balance`; and for whichever it has: sticky sessions,
 * priorities, zones, slow start and what to do when most targets are out.
 */
export const balancing = definePlugin({
  name: 'balancing',
  options: optionsSchema,
  serviceOptions: serviceSchema,
  extensions,
  alwaysOn: false,
  setup(host, { key = [], zone }) {
    const keys = Array.isArray(key) ? key : [key]
    const stickies = new Map<string, Sticky>()
    return {
      onService(service) {
        // Without options of its own, a service may still have priorities, and targets in the gateway's zone.
        const { sticky, slowStart, ...narrow } = service.options ?? serviceSchema.parse({})
        if (sticky !== undefined) {
          if ('cookie' in sticky && keys.length === 0) {
            service.problem("sticky cookies need a key to sign with: balancing({ key: secret('STICKY_KEY') })")
          }
          stickies.set(service.name, stickTo(sticky, service, keys))
        }
        const warm = slowStart === undefined ? undefined : warming(host, service, slowStart)
        return hooksOf({ zone, ...narrow }, stickies.get(service.name), warm)
      },
      onRoute({ services }) {
        const hooksFor = ({ service = '' }: Context) => stickies.get(service)?.hooks
        if (!services.some(service => stickies.get(service)?.hooks !== undefined)) return
        return {
          onAttemptEnd: (ctx, attempt, outcome) => hooksFor(ctx)?.onAttemptEnd?.(ctx, attempt, outcome),
          onResponse: (ctx, head) => hooksFor(ctx)?.onResponse?.(ctx, head),
        }
      },
    }
  },
})

function hooksOf(
  options: Omit<ServiceOptions, 'sticky' | 'slowStart'>,
  sticky: Sticky | undefined,
  warm: (() => void) | undefined,
): ServiceHooks {
  const choose = narrowing(options)
  return {
    narrow(targets, all) {
      warm?.()
      return choose(targets, all)
    },
    ...(sticky && { prefer: (ctx, targets) => sticky.prefer(ctx, targets) }),
  }
}

/** In how many steps a target gets its weight. */
const steps = 20

function warming(host: Host, service: ServiceView<unknown>, window: number): () => void {
  const warmth = host.share<Warmth>({ name: `balancing.warmth ${service.name}`, create: () => new Map() })
  const warm = () => warmUp(service, warmth, window, host.clock.now())
  host.clock.every(window / steps, warm)
  return warm
}
