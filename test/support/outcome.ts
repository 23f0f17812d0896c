import { expect } from 'vitest'
import { eventually } from './eventually.ts'
import type { RunningGateway } from './gateway.ts'
import type { Message } from './message.ts'

/** The response was begun and cut off, never made to look whole; the log says why. */
export function expectCut({ log }: RunningGateway, response: Message, code: string): void {
  expect({ status: response.status, complete: response.complete }).toEqual({ status: 200, complete: false })
  expect(log.all.filter(line => line.level === 'error').map(line => line.fields.code)).toEqual([code])
  expect(log.access.map(({ fields }) => [fields.status, fields.code])).toEqual([[200, code]])
}

/** The access line of a request whose client went away, and nothing louder than that. */
export async function expectGone({ log }: RunningGateway, status: number): Promise<void> {
  await eventually(() => expect(log.access.length).toBe(1))
  expect(log.access.map(({ level, fields }) => [level, fields.status, fields.code])).toEqual([
    ['info', status, 'GATEWAY_CLIENT_CLOSED'],
  ])
  expect(log.all.filter(line => line.level === 'error' || line.level === 'warn')).toEqual([])
}
