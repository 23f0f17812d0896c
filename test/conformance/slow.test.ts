import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RawClient } from './support/client.ts'
import { type Rig, startRig } from './support/rig.ts'
import { takeResponse } from './support/strict.ts'

// Clients that send, but a byte now and then: each byte would start an idle timer anew, and keep a connection for hours.

let rig: Rig
beforeAll(async () => {
  const soon = '300ms'
  rig = await startRig({
    listen: {
      port: 0,
      host: '127.0.0.1',
      limits: { headTimeout: soon, bodyIdleTimeout: soon, keepAliveTimeout: soon },
    },
  })
})
afterAll(() => rig.close())

const post = (framing: string) => `POST / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`

test.each([
  ['in the request line', '', 'GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 408],
  ['in a field', 'GET / HTTP/1.1\r\n', `Host: ${'a'.repeat(60)}`, 408],
  [
    'between fields',
    'GET / HTTP/1.1\r\nHost: a\r\n',
    'a:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:\r\ng:\r\nh:\r\ni:\r\nj:\r\nk:\r\nl:\r\nm:\r\n',
    408,
  ],
  ['in a body', post('Content-Length: 1000'), 'x'.repeat(60), 408],
  ['in a chunk', `${post('Transfer-Encoding: chunked')}ff\r\n`, 'x'.repeat(60), 408],
  ['in a chunk extension', `${post('Transfer-Encoding: chunked')}1;`, 'x'.repeat(60), 408],
  ['in trailers', `${post('Transfer-Encoding: chunked')}0\r\n`, `X: ${'x'.repeat(60)}`, 408],
  ['in empty lines', '', '\r\n\r', undefined],
])('a client that drips %s is rid of', async (_, start, drops, status) => {
  rig.forget()
  const client = new RawClient(rig.port)
  if (start !== '') await client.send([start])
  for (const drop of drops) {
    if (client.ended) break
    await client.send([drop])
    // The dripping itself, which the gateway has to end; nothing is measured by it.
    await wait(25)
  }
  const transcript = await client.all()
  expect(takeResponse(transcript, 0, 'GET', true)?.message.status).toBe(status)
  await rig.quiet()
  expect(rig.backend.requests).toEqual([])
})
