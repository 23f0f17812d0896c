import { cache } from '@gateway/cache'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { proxyTo, startGateway } from '../../../test/support/gateway.ts'
import { startUpstream } from '../../../test/support/upstream.ts'
import { connect, requestText } from '../../../test/support/wire.ts'

const heads = [
  'max-age=60',
  'max-age=0',
  'private',
  'no-store',
  'max-age=1, stale-while-revalidate=60',
  'no-cache',
] as const
const page = fc.record({
  head: fc.constantFrom(...heads),
  size: fc.constantFrom(0, 10, 5_000, 70_000),
  isLengthKnown: fc.boolean(),
  breaks: fc.boolean(),
})
const visit = fc.record({
  page: fc.nat(3),
  leaves: fc.constantFrom('no', 'no', 'at once', 'at the head'),
  user: fc.boolean(),
})

/** When it ends, the gateway must have let go of everything: `startGateway` looks. */
test('clients that leave and upstreams that break off harm nobody else', async () => {
  const run = fc.sample(
    fc.tuple(fc.array(page, { minLength: 4, maxLength: 4 }), fc.array(visit, { minLength: 120, maxLength: 120 })),
    {
      numRuns: 4,
      seed: 2,
    },
  )
  for (const [pages, visits] of run) {
    const bodyOf = (path: string) => path.repeat(40_000).slice(0, pages[Number(path.slice(1))]?.size)
    const { origin } = await startUpstream(({ url = '/0' }, response) => {
      const { head = 'private', isLengthKnown, breaks } = pages[Number(url.slice(1))] ?? {}
      const body = bodyOf(url)
      response.setHeader('Cache-Control', head)
      response.setHeader('ETag', '"a"')
      if (isLengthKnown) response.setHeader('Content-Length', body.length)
      if (!breaks || body === '') return void response.end(body)
      response.write(body.slice(0, body.length / 2))
      setImmediate(() => response.destroy())
    })
    const route = { cache: { coalesce: true, maxEntrySize: '64kb' } }
    const { port } = await startGateway(proxyTo(origin, { plugins: [cache({ maxSize: '100kb' })], route }))
    const whole = await Promise.all(
      visits.map(async ({ page: number, leaves, user }) => {
        const client = await connect(port)
        client.send(requestText(`GET /${number}`, user ? ['Authorization: a'] : []))
        if (leaves === 'at the head') await client.through('\r\n\r\n')
        if (leaves !== 'no') return void client.socket.destroy()
        const { status, body, complete } = await client
          .response()
          .catch(() => ({ status: 0, body: '', complete: false }))
        if (complete) expect([status, body === bodyOf(`/${number}`)]).toEqual([200, true])
        else expect(pages[number]?.breaks).toBe(true)
        return complete
      }),
    )
    expect(whole.filter(complete => complete).length).toBeGreaterThan(0)
  }
})
