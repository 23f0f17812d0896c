import { definePlugin } from '@gateway/core'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { eventually } from '../../support/eventually.ts'
import { startGateway } from '../../support/gateway.ts'
import { startUpstream } from '../../support/upstream.ts'
import { startClients } from './start-clients.ts'

const clients = 64
const reloads = 50

test(`${clients} busy keep-alive clients notice nothing of ${reloads} reloads`, async () => {
  const echo = await startUpstream((request, response) => {
    if (request.method === 'GET') response.end(request.url)
    else request.pipe(response)
  })
  const other = await startUpstream((request, response) => {
    if (request.method === 'GET') response.end(request.url)
    else request.pipe(response)
  })
  let begun = 0
  let finished = 0
  const counting = definePlugin({
    name: 'counting',
    routeOptions: z.strictObject({ header: z.string() }),
    setup: host => ({
      onRoute: ({ options }) => ({
        async onRequest(ctx) {
          begun++
          if (ctx.path.endsWith('5')) await Promise.resolve()
        },
        onResponse: (_ctx, head) =>
          head.headers.set('X-Counted', `${options?.header} ${host.share({ name: 'counting.x', create: () => 1 })}`),
        onFinish: () => void finished++,
      }),
    }),
  })
  // Something changes each time: a route, an option, a limit of the pool, the targets, a setting of the listener, a plugin.
  const config = (round: number) => ({
    listen: { port: 0, host: '127.0.0.1', limits: { bodySize: 100_000 + round } },
    timeoutStatus: round % 2 === 0 ? 504 : 408,
    log: { access: false },
    plugins: [counting(), ...(round % 3 === 0 ? [definePlugin({ name: 'other' })()] : [])],
    services: {
      backend: {
        targets: round % 5 === 0 ? [echo.origin] : [echo.origin, other.origin],
        pool: { connections: 200 + (round % 4 === 0 ? 1 : 0) },
      },
    },
    routes: {
      ...(round % 2 === 0 ? { extra: { match: `GET /extra${round}`, reply: { status: 200 } } } : {}),
      all: { match: 'ANY /*', service: 'backend', counting: { header: `${round}` } },
    },
  })
  const { gateway, port } = await startGateway(config(0))
  const load = startClients(port, clients)
  await load.warm
  for (let round = 1; round <= reloads; round++) {
    const before = finished
    await gateway.reload(config(round))
    // Each generation has its share of requests.
    await eventually(() => expect(finished).toBeGreaterThan(before + clients))
  }
  const { answered, connections, failures } = await load.stop()
  expect(failures).toEqual([])
  expect(answered).toBeGreaterThan(reloads * clients)
  // No connection was closed because of a reload.
  expect(connections).toBe(clients)
  await eventually(() => expect([gateway.generations.map(({ id }) => id), finished]).toEqual([[reloads + 1], begun]))
  expect(begun).toBe(answered)
})
