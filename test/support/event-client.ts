import { type IncomingMessage, request } from 'node:http'
import { expect } from 'vitest'
import { onCleanup } from './cleanup.ts'
import { eventually } from './eventually.ts'

/** A client of an event stream that keeps what it gets. */
export class EventClient {
  readonly answer: IncomingMessage
  text = ''
  /** `end` when the stream was whole, `cut` when not. */
  over: 'end' | 'cut' | undefined

  constructor(answer: IncomingMessage) {
    this.answer = answer
    answer.setEncoding('utf8')
    answer.on('data', (chunk: string) => {
      this.text += chunk
    })
    answer.on('error', () => {})
    answer.on('close', () => {
      this.over = answer.complete ? 'end' : 'cut'
    })
  }

  /** What the events so far say. */
  get data(): string[] {
    return [...this.text.matchAll(/^data: (.*)$/gm)].map(([, value = '']) => value)
  }

  until(...data: string[]): Promise<void> {
    return eventually(() => expect(this.data).toEqual(data))
  }

  leave(): void {
    this.answer.destroy()
  }
}

export function openStream(port: number, headers: Record<string, string> = {}, path = '/'): Promise<EventClient> {
  return new Promise((resolve, reject) => {
    const asked = request({ port, host: '127.0.0.1', path, headers, agent: false }, answer => {
      const client = new EventClient(answer)
      onCleanup('clients', async () => client.leave())
      resolve(client)
    })
    asked.on('error', reject)
    asked.end()
  })
}
