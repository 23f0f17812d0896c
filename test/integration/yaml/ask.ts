import type { Message } from '../../support/message.ts'
import { connect, requestText } from '../../support/wire.ts'

/** On a connection of its own, which is gone with the answer. */
export async function ask(port: number, request: string, lines: readonly string[] = [], body = ''): Promise<Message> {
  const wire = await connect(port)
  wire.send(requestText(request, lines, body))
  const response = await wire.response()
  wire.socket.destroy()
  return response
}

export async function textOf(...asked: Parameters<typeof ask>): Promise<string> {
  return (await ask(...asked)).body
}
