import { type Context, definePlugin, type Host } from '@gateway/core'
import * as z from 'zod'
import { random } from './chance.ts'
import { Copies } from './copies.ts'
import { type Mirror, mirrorSchema } from './mirror-options.ts'

/** Between two lines about copies that were not made. */
const reportEvery = 60_000

/** Sends copies of requests to another service, whose answers nobody sees. Requests neither wait for them nor fail by them. */
export const mirror = definePlugin({
  name: 'mirror',
  options: z.strictObject({ random }).prefault({}),
  routeOptions: mirrorSchema,
  services: ({ to }) => [{ name: to, path: ['to'] }],
  setup(host, { random = Math.random }) {
    const all: Copies[] = []
    const report = () => {
      for (const copies of all) copies.report()
    }
    const abort = () => {
      for (const copies of all) copies.abort()
    }
    host.clock.every(reportEvery, report)
    // They must not hold the gateway up, nor outlive what they are sent with.
    host.closing.addEventListener('abort', abort)
    host.defer(() => {
      host.closing.removeEventListener('abort', abort)
      abort()
      report()
    })
    return {
      onRoute({ name, service, options, problem }) {
        if (options === undefined) return
        if (service === undefined) return problem('a redirect or a fixed reply sends nothing that could be copied')
        if (service === options.to)
          return problem(`"${service}" gets the requests themselves: mirror to another service`)
        const copies = new Copies(host.log, name, options)
        all.push(copies)
        return hooksOf(copies, options, chosenBy(host, options, random))
      },
    }
  },
})

function chosenBy({ closing }: Host, { to, percent, methods }: Mirror, random: () => number) {
  const wanted = methods && new Set<string>(methods)
  return ({ method, upgrade, service }: Context) =>
    upgrade === undefined &&
    service !== to &&
    wanted?.has(method) !== false &&
    !closing.aborted &&
    (percent === 100 || random() * 100 < percent)
}

function hooksOf(copies: Copies, { header }: Mirror, isChosen: (ctx: Context) => boolean) {
  return {
    // What tells a copy from a request is not for clients to say.
    onRequest({ headers }: Context) {
      headers.delete(header)
    },
    // Here the request is what goes upstream, and nobody turns it away any more.
    onAttempt(ctx: Context, { number }: { readonly number: number }) {
      if (number === 1 && ctx.bodyLength === 0 && isChosen(ctx)) copies.send(ctx)
    },
    onRequestBody: (ctx: Context) => (isChosen(ctx) ? copies.collect(ctx) : undefined),
    onFinish: (ctx: Context) => copies.forget(ctx),
  }
}
