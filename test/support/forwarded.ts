import { expect } from 'vitest'
import { proxyTo, startGateway } from './gateway.ts'
import { lineValues, type Message } from './message.ts'
import { recordingBackend } from './upstream.ts'
import { exchange } from './wire.ts'

/** What the upstream sees of a request with these lines, from 127.0.0.1. */
export async function forwarded(
  lines: readonly string[],
  trust: 'none' | readonly string[] = 'none',
): Promise<Message> {
  const backend = await recordingBackend()
  const { port } = await startGateway(proxyTo(backend.origin, { listen: { trust } }))
  expect((await exchange(port, 'GET /', lines)).status).toBe(200)
  return backend.only
}

/** For each name its values, joined. */
export const all = (request: Message, ...names: readonly string[]) =>
  names.map(name => lineValues(request.lines, name).join(', '))
