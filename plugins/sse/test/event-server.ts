import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { startUpstream } from '../../../test/support/upstream.ts'

/** One stream that an upstream has been asked for. */
export interface Asked {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Sends bytes as they are. */
  send(text: string): void
}

export interface EventServer {
  readonly origin: string
  readonly asked: readonly Asked[]
  /** The stream of that number, from 1, as soon as it is asked for. */
  stream(number: number): Promise<Asked>
}

/** An upstream that opens a stream for everyone who asks, or does what it is told to. */
export async function eventServer(
  answer: (response: ServerResponse, number: number) => void = opened,
): Promise<EventServer> {
  const asked: Asked[] = []
  const { origin } = await startUpstream((request, response) => {
    asked.push({ request, response, send: text => void response.write(text) })
    answer(response, asked.length)
  })
  const stream = async (number: number): Promise<Asked> => {
    await eventually(() => expect(asked.length).toBeGreaterThanOrEqual(number))
    const found = asked[number - 1]
    if (found === undefined) throw new Error('no such stream')
    return found
  }
  return { origin, asked, stream }
}

export function opened(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' })
  response.flushHeaders()
}
