import { errorTable, type GatewayErrorCode } from '@gateway/core'
import { expect } from 'vitest'
import type { RunningGateway } from './gateway.ts'
import { lineValue, type Message } from './message.ts'

/**
 * The response is the problem+json of that code: exactly its members, its id returned as a field, a log line of that id
 * that tells what happened, and to the client nothing of the inside.
 *
 * @returns the log line's message
 */
export function expectProblem(
  { log }: RunningGateway,
  response: Message,
  code: GatewayErrorCode,
  more: { readonly route?: string; readonly status?: number; readonly logged?: boolean } = {},
): string {
  const row = errorTable[code]
  const status = more.status ?? row.status
  const requestId = lineValue(response.lines, 'x-request-id') ?? ''
  expect({ status: response.status, body: parse(response.body) }).toEqual({
    status,
    body: {
      type: `urn:gateway:problem:${code.slice('GATEWAY_'.length).toLowerCase().replaceAll('_', '-')}`,
      title: row.title,
      status,
      code,
      ...(more.route === undefined ? {} : { route: more.route }),
      requestId,
    },
  })
  expect(requestId).toMatch(/^[\w.~+/=:-]{1,128}$/)
  expect(lineValue(response.lines, 'content-type')).toBe('application/problem+json')
  expect(lineValue(response.lines, 'cache-control')).toBe('no-store')
  expect(lineValue(response.lines, 'content-length')).toBe(String(response.body.length))
  expect(lineValue(response.lines, 'date')).toMatch(/GMT$/)
  expect(response.head + response.body).not.toMatch(
    /127\.0\.0\.1|localhost|backend|node_modules|\.ts\b|\n\s+at |\bE[A-Z]{6,}\b/,
  )
  const [line] = log.of(requestId)
  expect(line).toMatchObject({
    level: row.status >= 500 && row.source !== 'client' ? 'error' : 'debug',
    fields: { requestId, code, status: row.status },
  })
  return line?.message ?? ''
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return body
  }
}
