import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { buffer } from 'node:stream/consumers'
import type { FieldList } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { startGateway } from '../../../test/support/gateway.ts'
import { listening } from '../../../test/support/listening.ts'
import { healthFault } from '../src/grpc-health.ts'
import { health } from '../src/index.ts'

/** What a server says: a status of gRPC, alone or after a message. */
interface Says {
  grpcStatus: string
  message: Buffer | undefined
}

const serving = Buffer.of(0, 0, 0, 0, 2, 8, 1)
const notServing = Buffer.of(0, 0, 0, 0, 2, 8, 2)

/** A gRPC server whose answers a test changes, and that keeps what it was asked. */
async function grpcServer() {
  const says: Says = { grpcStatus: '0', message: serving }
  const asked: { head: IncomingHttpHeaders; body: number[] }[] = []
  const server = createServer()
  server.on('stream', (stream: ServerHttp2Stream, head) => {
    stream.on('error', () => {})
    void buffer(stream).then(body => {
      asked.push({ head, body: [...body] })
      const answer = { ':status': 200, 'content-type': 'application/grpc' }
      if (says.message === undefined) {
        stream.respond({ ...answer, 'grpc-status': says.grpcStatus }, { endStream: true })
        return
      }
      stream.respond(answer, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': says.grpcStatus }))
      stream.end(says.message)
    })
  })
  return { origin: (await listening(server)).origin, says, asked }
}

async function start(targets: readonly string[], grpc: unknown) {
  const options = { grpc, interval: 20, unhealthyAfter: 2, healthyAfter: 1 }
  const running = await startGateway({
    plugins: [health()],
    services: { shop: { targets, protocol: 'http2', health: options } },
    routes: { health: { match: 'GET /health', reply: { status: 200 }, health: { endpoint: 'health' } } },
  })
  const available = async () => {
    const response = await running.gateway.fetch('http://gateway.test/health')
    return /"available":(\d)/.exec(await response.text())?.[1]
  }
  return { ...running, available }
}

test('asks for a service as gRPC wants it, and believes what it says', async () => {
  const [a, b] = [await grpcServer(), await grpcServer()]
  const { available, log } = await start([a.origin, b.origin], 'shop.Cart')
  await eventually(() => expect(a.asked.length).toBeGreaterThan(1))
  const body = [0, 0, 0, 0, 11, 0x0a, 9, ...Buffer.from('shop.Cart')]
  expect(a.asked[0]).toMatchObject({
    head: {
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': '2000m',
    },
    body,
  })
  a.says.message = notServing
  await eventually(async () => expect(await available()).toBe('1'))
  const [down] = log.all.filter(({ message }) => message === 'a target is down')
  expect(down?.fields).toMatchObject({ target: a.origin, reason: 'it says that it is NOT_SERVING' })
  a.says.message = serving
  await eventually(async () => expect(await available()).toBe('2'))
})

test('by no name it asks for all of the server; an answer of trailers alone is one', async () => {
  const a = await grpcServer()
  const { available, log } = await start([a.origin], true)
  await eventually(() => expect(a.asked[0]?.body).toEqual([0, 0, 0, 0, 0]))
  a.says.message = undefined
  a.says.grpcStatus = '12'
  await eventually(async () => expect(await available()).toBe('0'))
  expect(log.all.find(({ message }) => message === 'a target is down')?.fields).toMatchObject({
    reason: 'it has no grpc.health.v1.Health: probe it by tcp',
  })
})

describe('an answer', () => {
  const fields = (status?: string) => ({ get: () => status }) as object as FieldList
  const trailers = (code: string) => ({ trailers: fields(code) })
  const ok = { status: 200, headers: fields(), body: Buffer.of(), ...trailers('0') }
  test.each<[string, object, string | undefined]>([
    ['SERVING', { body: serving }, undefined],
    ['UNKNOWN, left out', { body: Buffer.of(0, 0, 0, 0, 0) }, 'it says that it is UNKNOWN'],
    ['a status of the future', { body: Buffer.of(0, 0, 0, 0, 2, 8, 9) }, 'it says that it is 9'],
    ['no message', { body: Buffer.of() }, 'its answer is no HealthCheckResponse'],
    ['a message that is cut off', { body: serving.subarray(0, 6) }, 'its answer is no HealthCheckResponse'],
    ['another message', { body: Buffer.of(0, 0, 0, 0, 2, 16, 1) }, 'its answer is no HealthCheckResponse'],
    ['compressed', { body: Buffer.of(1, 0, 0, 0, 2, 8, 1) }, 'its answer is no HealthCheckResponse'],
    ['NOT_FOUND', trailers('5'), 'it knows no such service'],
    ['UNAVAILABLE', trailers('14'), 'it answered with gRPC status 14'],
    ['HTTP', { status: 404, trailers: undefined }, 'it answered 404, and not in gRPC'],
  ])('%s', (_, answer, fault) => {
    expect(healthFault({ ...ok, ...answer })).toBe(fault)
  })
})
