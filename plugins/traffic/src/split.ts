import { type Context, definePlugin, type RouteHooks } from '@gateway/core'
import { compileCondition } from './condition.ts'
import { placeBy, places } from './place.ts'
import { placeByCookie } from './place-cookie.ts'
import { pluginSchema, type Split, splitSchema, sumOf } from './split-options.ts'

/** Sends a part of a route's requests to other services: canaries, weighted splits, choice by header, cookie or query. */
export const split = definePlugin({
  name: 'split',
  // Once it is known who asks, and before anybody keeps answers by service.
  stage: 'admit',
  options: pluginSchema,
  routeOptions: splitSchema,
  services: ({ to = {}, when }) => [
    ...Object.keys(to).map(name => ({ name, path: ['to', name] })),
    ...when.map(({ service }, index) => ({ name: service, path: ['when', index, 'service'] })),
  ],
  setup: (_host, { random = Math.random }) => ({
    onRoute({ service, options, problem }) {
      if (options === undefined) return
      if (service === undefined)
        return problem('a redirect or a fixed reply goes to no service: there is none to split')
      const sum = sumOf(options.to)
      if (options.to?.[service] !== undefined && sum !== 100)
        return problem(`"to" adds up to ${sum}%: make it 100, or leave out "${service}", which has the rest`)
      return hooksOf(options, service, random)
    },
  }),
})

function hooksOf({ to = {}, when, by, cookie }: Split, own: string, random: () => number): RouteHooks {
  const rules = when.map(rule => ({ holds: compileCondition(rule), service: rule.service }))
  const draw = () => Math.floor(random() * places)
  const sticky = cookie && placeByCookie(cookie, draw)
  const known = by === undefined ? undefined : placeBy(by)
  const placeOf = sticky?.placeOf ?? ((ctx: Context) => known?.(ctx) ?? draw())
  const serviceAt = compileShares(to, own)

  function choose(ctx: Context): string | undefined {
    for (const { holds, service } of rules) if (holds(ctx)) return service
    return serviceAt?.(placeOf(ctx))
  }

  return {
    onRequest(ctx) {
      const service = choose(ctx)
      if (service !== undefined && service !== own) ctx.useService(service)
    },
    ...(sticky && { onResponse: sticky.onResponse }),
  }
}

/** Others have the first places, in the order in which they are written: a share that grows keeps those it had. */
function compileShares(to: Readonly<Record<string, number>>, own: string) {
  let end = 0
  const shares = Object.entries(to).flatMap(([service, share]) => {
    if (service === own) return []
    end += Math.round((share * places) / 100)
    return [{ service, end }]
  })
  if (Object.keys(to).length === 0) return undefined
  return (place: number) => shares.find(share => place < share.end)?.service
}
