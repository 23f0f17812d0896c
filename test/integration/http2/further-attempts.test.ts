import { definePlugin } from '@gateway/core'
import { expect, test } from 'vitest'
import { ask } from '../../../core/src/http2/server.fixture.ts'
import { http2Upstream, openSession, proxyTo, startHttp2Gateway } from './gateway.ts'

const again = definePlugin({
  name: 'again',
  setup: () => ({
    onRoute(route) {
      route.replay.bytes = 100_000
      return { onAttemptEnd: (_ctx, { number }) => (number === 1 ? 'retry' : undefined) }
    },
  }),
})

test.each(['503', 'a reset'])('a body is sent again over HTTP/2, after %s', async way => {
  const bodies: number[] = []
  const origin = await http2Upstream(stream => {
    let bytes = 0
    stream.on('data', piece => {
      bytes += piece.length
    })
    stream.on('end', () => {
      bodies.push(bytes)
      if (bodies.length === 1 && way !== '503') return stream.close(2)
      stream.respond({ ':status': bodies.length === 1 ? 503 : 200 })
      stream.end(`${bytes}`)
    })
  })
  const running = await startHttp2Gateway(proxyTo(origin, { plugins: [again()], service: { protocol: 'http2' } }))
  const session = await openSession(running.port)
  const answer = await ask(session, { ':method': 'PUT' }, 'x'.repeat(90_000))
  expect([answer.status, answer.body]).toEqual([200, '90000'])
  expect(bodies).toEqual([90_000, 90_000])
})
