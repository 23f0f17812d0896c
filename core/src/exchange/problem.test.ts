import { expect, test } from 'vitest'
import { errorTable, GatewayError, type GatewayErrorCode } from '../contract/errors.ts'
import { problem, problemReply } from './problem.ts'

function told(error: GatewayError, context: Parameters<typeof problemReply>[1]) {
  const { status, headers, body } = problemReply(error, context)
  return { status, headers, body: JSON.parse(String(body)) }
}

test('every error of the kernel is told by its row and by nothing else', () => {
  for (const code of Object.keys(errorTable) as GatewayErrorCode[]) {
    const { status, title } = errorTable[code]
    const error = new GatewayError(code, 'http://10.0.0.7:8080 said no', { cause: new Error('secret') })
    expect(told(error, { id: 'r-1', route: 'shop' })).toEqual({
      status,
      headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
      body: {
        type: `urn:gateway:problem:${code.slice(8).toLowerCase().replaceAll('_', '-')}`,
        title,
        status,
        code,
        route: 'shop',
        requestId: 'r-1',
      },
    })
  }
})

test('without a route there is no such member', () => {
  expect(told(new GatewayError('GATEWAY_BAD_PATH', 'x'), { id: 'r-1', route: undefined }).body).not.toHaveProperty(
    'route',
  )
})

test('the status may be another one, in head and body', () => {
  const reply = told(new GatewayError('GATEWAY_TIMEOUT', 'x'), { id: 'r-1', route: 'a', status: 408 })
  expect([reply.status, reply.body.status]).toEqual([408, 408])
})

test('fields of the error go along, but do not pass for those of the problem', () => {
  const headers = { 'retry-after': '5', 'content-type': 'text/html' }
  expect(told(new GatewayError('GATEWAY_POOL_EXHAUSTED', 'x', { headers }), { id: 'r-1', route: 'a' }).headers).toEqual(
    {
      'retry-after': '5',
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
    },
  )
})

test("a plugin's own error has its own code and title", () => {
  const error = new GatewayError('QUOTA_SPENT', 'user 7 of 10.0.0.7', {
    status: 429,
    source: 'client',
    title: 'Quota spent',
  })
  expect(told(error, { id: 'r-1', route: 'a' })).toMatchObject({
    status: 429,
    body: { type: 'urn:gateway:problem:quota-spent', code: 'QUOTA_SPENT', title: 'Quota spent', status: 429 },
  })
})

test('a plugin tells of its own, with what is particular to it', () => {
  const reply = problem(
    { id: 'r-1', route: 'a' },
    {
      status: 429,
      code: 'QUOTA_SPENT',
      title: 'Quota spent',
      detail: '7 left tomorrow',
      headers: { 'retry-after': '5' },
    },
  )
  expect(reply).toMatchObject({ status: 429, headers: { 'retry-after': '5' } })
  expect(JSON.parse(reply.body)).toEqual({
    type: 'urn:gateway:problem:quota-spent',
    title: 'Quota spent',
    status: 429,
    detail: '7 left tomorrow',
    code: 'QUOTA_SPENT',
    route: 'a',
    requestId: 'r-1',
  })
})
