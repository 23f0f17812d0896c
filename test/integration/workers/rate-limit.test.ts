import { expect, test, vi } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { lineValue } from '../../support/message.ts'
import { rawUpstream } from '../../support/upstream.ts'
import { connect, exchange, requestText, responseText, type Wire } from '../../support/wire.ts'
import { supervise } from './fixture.ts'

// Each thread loads the gateway anew, which a busy machine takes its time for.
vi.setConfig({ testTimeout: 60_000 })

const configOf = (workers: number, origin: string) => `
import { threadId } from 'node:worker_threads'
import { defineConfig } from '@gateway/core'
import { rateLimit } from '@gateway/ratelimit'

export default defineConfig({
  listen: { port: 0, host: '127.0.0.1' },
  workers: ${workers},
  plugins: [rateLimit()],
  services: { backend: { targets: ['${origin}'] } },
  routes: {
    who: { match: 'GET /who', reply: { status: 200, body: String(threadId) } },
    all: { match: 'GET /all', service: 'backend', rateLimit: { limit: 2, algorithm: 'concurrency' } },
  },
})
`

/** A connection to each of two threads. */
async function connectToBoth(port: number): Promise<Wire[]> {
  const wires = new Map<string, Wire>()
  while (wires.size < 2) {
    const wire = await connect(port)
    wire.send(requestText('GET /who'))
    wires.set((await wire.response()).body, wire)
  }
  return [...wires.values()]
}

test('a worker that leaves keeps its places from the one that comes instead, and gives them back once', async () => {
  const held: Wire[] = []
  const upstream = await rawUpstream(async (wire, number) => {
    await wire.request()
    if (number <= 2) held.push(wire)
    else wire.send(responseText(200, ['Connection: close']))
  })
  const { port, rewrite } = await supervise(configOf(2, upstream.origin), undefined, import.meta.dirname)
  const clients = await connectToBoth(port)
  for (const client of clients) client.send(requestText('GET /all'))
  await eventually(() => expect(held).toHaveLength(2))
  await rewrite(configOf(1, upstream.origin))
  await rewrite(configOf(2, upstream.origin))
  expect((await exchange(port, 'GET /all')).status).toBe(429)
  for (const wire of held) wire.send(responseText(200, ['Connection: close']))
  for (const client of clients) expect((await client.response()).status).toBe(200)
  await eventually(async () => {
    const { status, lines } = await exchange(port, 'GET /all')
    expect([status, lineValue(lines, 'RateLimit')]).toEqual([200, '"route";r=1'])
  })
})
