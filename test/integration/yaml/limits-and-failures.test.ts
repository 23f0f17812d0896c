import { expect, test } from 'vitest'
import { redisMissing, startRedis } from '../../../plugins/ratelimit/test/redis-server.ts'
import { eventually } from '../../support/eventually.ts'
import { lineValue } from '../../support/message.ts'
import { startUpstream } from '../../support/upstream.ts'
import { startBackend } from './backend.ts'
import { startYaml } from './yaml-file.ts'

const statusOf = (request: { url?: string | undefined }) => Number(/\/(\d{3})/.exec(request.url ?? '')?.[1] ?? 200)

test('a rule has a limit: what comes at once, then 429 with Retry-After; all routes of a rule count together', async () => {
  const { ask, status } = await startYaml({
    services: { s: [await startBackend('s')] },
    rules: `
- { id: 'a rule', path: /a/, serviceName: s, rateLimit: 1, rateLimitBurst: 2 }
- { id: b, path: /b, serviceName: s, rateLimit: { requestsPerSecond: 0.01 } }
- { id: c, path: /c, serviceName: s, rateLimit: 0 }
`,
  })
  expect([await status('GET /a'), await status('GET /a/b')]).toEqual([200, 200])
  const refused = await ask('GET /a/c')
  expect(refused.status).toBe(429)
  expect(lineValue(refused.lines, 'retry-after')).toBe('1')
  expect([await status('GET /b'), await status('GET /b')]).toEqual([200, 429])
  const free = await Promise.all([1, 2, 3].map(() => status('GET /c')))
  expect(free).toEqual([200, 200, 200])
})

test.skipIf(redisMissing)('limits in Redis are shared by all gateways with the file', async () => {
  const { port } = await startRedis()
  const parts = {
    services: { s: [await startBackend('s')] },
    rules: '- { id: a, path: /a, serviceName: s, rateLimit: { requestsPerSecond: 0.01, burst: 2 } }',
    sections: `
redis: { host: 127.0.0.1, port: ${port}, readTimeout: 5 }
rateLimitStorage: { default: shared, stores: { shared: { type: redis } } }
`,
  }
  const gateways = [await startYaml(parts), await startYaml(parts)]
  const statuses: (number | undefined)[] = []
  for (const index of [0, 1, 0, 1]) statuses.push(await gateways[index]?.status('GET /a'))
  expect(statuses).toEqual([200, 200, 429, 429])
})

test('a circuit opens after so many failures in a row: 503 with Retry-After, of a rule or of a service', async () => {
  let asked = 0
  const { port } = await startUpstream((request, response) => {
    asked += 1
    response.writeHead(statusOf(request)).end()
  })
  const { ask, status } = await startYaml({
    services: { s: [port], t: [port] },
    rules: `
- { id: default, path: /default/*, serviceName: s }
- { id: own, path: /own/*, serviceName: s }
- { id: service, path: /service/*, serviceName: t }
`,
    sections: `
circuitBreaker:
  enabled: true
  default: { maxFailures: 2, timeout: 7 }
  routes: { own: { maxFailures: 3 } }
  services: { t: { maxFailures: 1 } }
`,
  })
  const until503 = async (path: string) => {
    asked = 0
    for (let i = 0; i < 9; i++) {
      const answer = await ask(`GET ${path}/500`)
      if (answer.status === 503) return [asked, lineValue(answer.lines, 'retry-after')]
    }
    return undefined
  }
  expect(await until503('/default')).toEqual([2, '7'])
  expect(await until503('/own')).toEqual([3, '60'])
  expect(await until503('/service')).toEqual([1, '60'])
  // 404 is no failure.
  expect(await status('GET /own/404')).toBe(503)
})

test('what failed is tried again, as often as the rule, its service or the default say', async () => {
  let asked: string[] = []
  const { port } = await startUpstream((request, response) => {
    asked.push(request.method ?? '')
    response.writeHead(asked.length < 3 ? statusOf(request) : 200).end()
  })
  const { status } = await startYaml({
    services: { s: [port], t: [port] },
    rules: `
- { id: default, path: /default/*, serviceName: s }
- { id: own, path: /own/*, serviceName: s }
- { id: once, path: /once/*, serviceName: s }
- { id: service, path: /service/*, serviceName: t }
`,
    sections: `
retry:
  enabled: true
  default: { maxAttempts: 3, initialDelay: 1, maxDelay: 2 }
  routes: { own: { maxAttempts: 2, initialDelay: 1 }, once: { maxAttempts: 0 } }
  services: { t: { maxAttempts: 2, initialDelay: 1, budgetRatio: 0.5 } }
`,
  })
  const attempts = async (request: string) => {
    asked = []
    return [await status(request), asked.length]
  }
  expect(await attempts('GET /default/503')).toEqual([200, 3])
  expect(await attempts('GET /default/429')).toEqual([200, 3])
  expect(await attempts('GET /default/501')).toEqual([501, 1])
  expect(await attempts('POST /default/503')).toEqual([503, 1])
  expect(await attempts('GET /own/503')).toEqual([503, 2])
  expect(await attempts('GET /once/503')).toEqual([503, 1])
  expect(await attempts('GET /service/500')).toEqual([500, 2])
})

test('health: the gateway tells of itself, to everybody; services are asked, and an instance that is down gets nothing', async () => {
  let isWell = false
  const upstream = await startUpstream((request, response) => {
    response.writeHead(request.url === '/health' && !isWell ? 500 : 200).end()
  })
  const { ask, status } = await startYaml({
    services: { s: [upstream.port] },
    rules: '- { id: all, path: /*, serviceName: s }',
    sections: `
auth: { required: true, apikey: { enabled: true, keys: { k: { key: abc } } } }
health:
  enabled: true
  healthPath: /health
  readyPath: /ready
  livePath: /live
  checks: { s: { type: http, interval: 1, timeout: 1 } }
`,
  })
  expect(await status('GET /live')).toBe(200)
  await eventually(async () => expect(await status('GET /ready')).toBe(503))
  expect(await status('GET /a', ['X-API-Key: abc'])).toBe(503)
  expect(await status('GET /a')).toBe(401)
  isWell = true
  await eventually(async () => expect(await status('GET /ready')).toBe(200))
  expect(await status('GET /a', ['X-API-Key: abc'])).toBe(200)
  expect((await ask('GET /health')).body).toContain('"s"')
})
