import { once } from 'node:events'
import type { ServerHttp2Stream } from 'node:http2'
import { sse } from '@gateway/sse'
import { expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { http2Upstream, openSession, proxyTo, startHttp2Gateway } from './gateway.ts'

test('an event stream passes event by event, with heartbeats, over HTTP/2 on both sides', async () => {
  const asked = Promise.withResolvers<ServerHttp2Stream>()
  const origin = await http2Upstream(stream => {
    stream.respond({ ':status': 200, 'content-type': 'text/event-stream' })
    asked.resolve(stream)
  })
  const service = { protocol: 'http2' }
  const { port } = await startHttp2Gateway(
    proxyTo(origin, { plugins: [sse()], route: { sse: { heartbeat: 20 } }, service }),
  )
  const session = await openSession(port)
  const client = session.request({ ':path': '/' }).setEncoding('utf8')
  let text = ''
  client.on('data', (chunk: string) => {
    text += chunk
  })
  const upstream = await asked.promise
  upstream.write('data: o')
  await eventually(() => expect(text).toMatch(/^(:\n\n){2,}$/))
  upstream.write('ne\n\n')
  await eventually(() => expect(text).toContain('data: one\n\n'))
  const closed = once(upstream, 'close')
  client.close()
  await closed
})
