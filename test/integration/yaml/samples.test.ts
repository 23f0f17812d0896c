import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigProblems } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import { openStream } from '../../support/event-client.ts'
import { startGateway } from '../../support/gateway.ts'
import { lineValue } from '../../support/message.ts'
import { startUpstream } from '../../support/upstream.ts'
import { frame, openWebSocket } from '../../support/websocket.ts'
import { ask, textOf } from './ask.ts'
import { startBackend } from './backend.ts'
import { loadYaml, onFreePorts } from './load-yaml.ts'

const root = join(import.meta.dirname, '../../..')
/** Files of the Go program, where they are: they are no part of this repository. */
const shared = join(root, '../shared/data/go-gateway-yaml')
const areThere = existsSync(shared)
const files = [
  ...globSync(join(root, 'configs/{base,dev}/*.yaml')),
  ...(areThere ? globSync(join(shared, '**/*.yaml')) : []),
].toSorted()

/** A server that is never well, and notes each time that it is asked. */
async function startFailing(name: string, asked: string[]): Promise<number> {
  const { port } = await startUpstream((_request, response) => {
    asked.push(name)
    response.writeHead(503).end()
  })
  return port
}

/** The file with a server of its own for each instance, and what listens on which port of it. */
async function started(file: string, start = startBackend): Promise<readonly number[]> {
  const text = readFileSync(file, 'utf8')
  const ports = new Map<string, number>()
  for (const [, port = ''] of text.matchAll(/address: [^\n,]+[\n,]\s*port: (\d+)/g)) {
    if (!ports.has(port)) ports.set(port, await start(port))
  }
  const local = text.replace(
    /address: [^\n,]+([\n,]\s*)port: (\d+)/g,
    (_whole, between: string, port: string) => `address: 127.0.0.1${between}port: ${ports.get(port)}`,
  )
  const { gateway } = await startGateway(onFreePorts(await loadYaml(local)))
  return gateway.addresses.map(({ port }) => port)
}

test.each(files)('%s loads, or says where it cannot', async file => {
  try {
    expect(await loadYaml(readFileSync(file, 'utf8'))).toHaveProperty('routes')
  } catch (error) {
    if (!(error instanceof ConfigProblems)) throw error
    const errors = error.problems.filter(({ severity }) => severity === 'error')
    expect(errors.length).toBeGreaterThan(0)
    for (const problem of errors) {
      expect(problem.line ?? problem.path, problem.message).toBeDefined()
      expect(problem.code).not.toBe('CONFIG_THREW')
    }
  }
})

function describeSamples(): void {
  test('basic: the instances of a service take turns, and what no rule takes is 404', async () => {
    const [port = 0] = await started(join(shared, 'examples/basic/config.yaml'))
    const turns = [await textOf(port, 'GET /api/users/1'), await textOf(port, 'GET /api/users/1')]
    expect(turns.toSorted()).toEqual(['8001 GET /api/users/1', '8002 GET /api/users/1'])
    expect(await textOf(port, 'POST /api/products/')).toBe('8003 POST /api/products/')
    const unknown = await ask(port, 'GET /nothing')
    expect([unknown.status, lineValue(unknown.lines, 'content-type')]).toEqual([404, 'application/problem+json'])
  })

  test('minimal: what it leaves out has its defaults', async () => {
    const [port = 0] = await started(join(shared, 'configs/examples/minimal.yaml'))
    expect(await textOf(port, 'GET /api/a')).toBe('3000 GET /api/a')
  })

  test('session affinity: by a cookie that is set, by a field, by a parameter', async () => {
    const [port = 0] = await started(join(shared, 'configs/examples/session-affinity.yaml'))
    const first = await ask(port, 'GET /app/a')
    const cookie = lineValue(first.lines, 'set-cookie') ?? ''
    expect(cookie).toMatch(/^SESSION_ID=.*Max-Age=1800/)
    const sessions: readonly [string, string[]][] = [
      ['/app/a', [`Cookie: ${cookie.split(';', 1)[0]}`]],
      ['/api/v1/a', ['X-Session-Token: ada']],
      ['/download/a?sid=ada', []],
    ]
    for (const [path, lines] of sessions) {
      const answers = await Promise.all(Array.from({ length: 8 }, () => textOf(port, `GET ${path}`, lines)))
      expect(new Set(answers).size, path).toBe(1)
      if (path === '/app/a') expect(answers[0]).toBe(first.body)
    }
    const loose = await Promise.all(Array.from({ length: 9 }, () => textOf(port, 'GET /public/a')))
    expect(new Set(loose).size).toBe(3)
  })

  test('event streams: who asks for events gets them, all else is HTTP', async () => {
    const [port = 0] = await started(join(shared, 'configs/examples/sse.yaml'))
    const stream = await openStream(port, { accept: 'text/event-stream' }, '/events')
    await stream.until('3010')
    expect(await textOf(port, 'GET /events')).toBe('3010 GET /events')
    stream.leave()
  })

  test('WebSockets: on a port of their own, which has nothing else', async () => {
    const [http = 0, websockets = 0] = await started(join(shared, 'configs/examples/websocket.yaml'))
    const { wire, response } = await openWebSocket(websockets, '/ws/echo')
    expect(response.status).toBe(101)
    wire.send(frame(1, 'hello', { mask: true }))
    expect(await wire.exactly(7)).toBe(frame(1, 'hello'))
    wire.socket.destroy()
    expect((await openWebSocket(http, '/ws/echo')).response.status).toBe(501)
    expect((await ask(websockets, 'GET /ws/echo')).status).toBe(400)
    expect((await ask(websockets, 'POST /api/a')).status).toBe(405)
    expect(await textOf(http, 'GET /api/a')).toMatch(/^300[23] GET/)
  })

  test('base: methods and paths, and the instances take turns', async () => {
    const [port = 0] = await started(join(shared, 'configs/base/gateway.yaml'))
    const turns = [await textOf(port, 'PUT /api/example/1', [], 'x'), await textOf(port, 'GET /api/example/1')]
    expect(turns.toSorted()).toEqual(['3000 PUT /api/example/1', '3001 GET /api/example/1'])
    expect(await textOf(port, 'GET /health')).toMatch(/^300[01] GET \/health$/)
    expect((await ask(port, 'PATCH /api/example/1')).status).toBe(405)
  })

  test('auth: nobody gets in without a key or a token of the issuer, but where it is skipped', async () => {
    const [port = 0] = await started(join(shared, 'configs/examples/auth.yaml'))
    const refused = await ask(port, 'GET /api/example/1')
    expect(refused.status).toBe(401)
    expect(lineValue(refused.lines, 'www-authenticate')).toMatch(/^Bearer/)
    for (const line of ['X-API-Key: guessed', 'Authorization: Bearer a.b.c']) {
      expect((await ask(port, 'GET /api/example/1', [line])).status, line).toBe(401)
    }
    expect(await textOf(port, 'GET /public/a')).toMatch(/^300[01] GET \/public\/a$/)
  })

  test('CORS: for the origins that are listed', async () => {
    const [port = 0] = await started(join(shared, 'configs/examples/cors.yaml'))
    const wanted = (origin: string) => [`Origin: ${origin}`, 'Access-Control-Request-Method: PUT']
    const { status, lines } = await ask(port, 'OPTIONS /api/a', wanted('https://app.example.com'))
    const names = ['origin', 'credentials'].map(name => lineValue(lines, `access-control-allow-${name}`))
    expect([status, ...names, lineValue(lines, 'access-control-max-age')]).toEqual([
      204,
      'https://app.example.com',
      'true',
      '3600',
    ])
    const refused = await ask(port, 'OPTIONS /api/a', wanted('https://evil.test'))
    expect(lineValue(refused.lines, 'access-control-allow-origin')).toBeUndefined()
    const answer = await ask(port, 'GET /api/a', ['Origin: http://localhost:3000'])
    expect(answer.body).toBe('3000 GET /api/a')
    expect(lineValue(answer.lines, 'access-control-expose-headers')).toMatch(/X-Request-ID/i)
  })

  test('retries: of the service, of the rule, and not of a POST', async () => {
    const asked: string[] = []
    const [port = 0] = await started(join(shared, 'configs/examples/retry.yaml'), name => startFailing(name, asked))
    for (const request of ['GET /api/a', 'POST /flaky/a', 'GET /flaky/a']) {
      expect((await ask(port, request)).status, request).toBe(503)
    }
    expect([asked.filter(name => name === '3000').length, asked.filter(name => name === '3001').length]).toEqual([2, 6])
  })

  test('circuit breakers: open after as many failures as the rule says', async () => {
    const asked: string[] = []
    const file = join(shared, 'configs/examples/circuit-breaker.yaml')
    const [port = 0] = await started(file, name => startFailing(name, asked))
    for (let left = 3; left > 0; left--) expect((await ask(port, 'GET /unstable/a')).status).toBe(503)
    const open = await ask(port, 'GET /unstable/a')
    expect([open.status, Number(lineValue(open.lines, 'retry-after')) > 20, asked.length]).toEqual([503, true, 3])
    await ask(port, 'GET /api/a')
    expect(asked).toEqual(['3001', '3001', '3001', '3000'])
  })

  test('health: how the gateway is', async () => {
    const [port = 0] = await started(join(shared, 'configs/examples/health.yaml'))
    const statuses = ['/health', '/ready', '/live', '/api/a'].map(async path => (await ask(port, `GET ${path}`)).status)
    expect(await Promise.all(statuses)).toEqual([200, 200, 200, 200])
  })
}

// Not skipped where the files are missing: in CI what is skipped has failed.
if (areThere) describe('files of the Go program', describeSamples)
