import { cache } from '@gateway/cache'
import { type Context, type GatewayHooks, type Host, Secret } from '@gateway/core'
import { expect, test } from 'vitest'
import type { Fills } from '../src/fill.ts'
import { optionsSchema } from '../src/options.ts'
import type { StoredResponse } from '../src/stored-response.ts'

/** As many workers as are asked for, with channels between them. */
async function start(count: number) {
  const hear: ((message: unknown) => void)[] = []
  const workers = Array.from({ length: count }, async (_, index) => {
    let shared: Fills | undefined
    const host = {
      worker: { index, count },
      clock: { now: () => 0 },
      share({ create }: { create(): Fills }) {
        shared = create()
        return shared
      },
      channel(_name: string, onMessage: (message: unknown) => void) {
        hear[index] = onMessage
        return { post: (message: unknown) => void hear.forEach((to, i) => void (i === index || to(message))) }
      },
    } as object as Host
    const options = optionsSchema.parse({ maxSize: 1000 * count })
    const hooks = (await cache().definition.setup?.(host, options as never)) as GatewayHooks<never, unknown>
    return { hooks, store: (shared as Fills).store }
  })
  return await Promise.all(workers)
}

test('a purge reaches the other workers, who divide the room', async () => {
  const workers = await start(3)
  const fields = { get: () => 'Bearer t' } as object as Context['headers']
  for (const { store } of workers) {
    for (const bytes of [1001, 400]) {
      store.put(`key ${bytes}`, 'host/', fields, {
        varies: [],
        policy: { reach: 2 },
        bytes,
      } as object as StoredResponse)
    }
  }
  expect(workers.map(({ store }) => store.bytes)).toEqual([400, 400, 400])
  const options = { purge: { token: new Secret('token', () => 't') } }
  const route = { name: 'purge', match: 'POST /', service: undefined, options } as never
  const hooks = workers[1]?.hooks.onRoute?.(route)
  const reply = await hooks?.onRequest?.({ headers: fields, query: 'path=/' } as Context)
  expect(reply).toMatchObject({ status: 200, body: '{"purged":1}\n' })
  expect(workers.map(({ store }) => store.bytes)).toEqual([0, 0, 0])
})
