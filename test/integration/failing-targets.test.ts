import { health } from '@gateway/health'
import { retry } from '@gateway/resilience'
import { hang, reset, testGateway, type Upstream } from '@gateway/testing'
import { Agent } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { onCleanup } from '../support/cleanup.ts'
import { eventually } from '../support/eventually.ts'
import { startGateway } from '../support/gateway.ts'
import { startServerProcess } from '../support/server-process.ts'
import { rawUpstream, recordingBackend } from '../support/upstream.ts'
import { responseText, type Wire } from '../support/wire.ts'

interface Answers {
  readonly failed: string[]
  /** Names of who answered, in order. */
  readonly by: string[]
}

/** Clients that ask again as soon as they are answered, by GET and by PUT with a body in turn. */
function load(port: number, clients: number) {
  const agent = new Agent({ connections: clients, pipelining: 1 })
  onCleanup('clients', () => agent.destroy())
  const bodies = [undefined, 'x'.repeat(3_000)]

  async function askOnce(count: number, { failed, by }: Answers): Promise<void> {
    const body = bodies[count % 2]
    const {
      statusCode,
      headers,
      body: answer,
    } = await agent.request({
      origin: `http://127.0.0.1:${port}`,
      path: '/',
      method: body === undefined ? 'GET' : 'PUT',
      ...(body && { body }),
    })
    const text = await answer.text()
    const isWhole = headers['x-body-bytes'] === String(body?.length ?? 0)
    if (statusCode !== 200 || !isWhole) failed.push(`${statusCode} ${text}`)
    by.push(text)
  }

  /** So many requests at most, and none once `during` has settled. */
  return async (requests: number, during: (answers: Answers) => Promise<void> = () => new Promise(() => {})) => {
    const answers: Answers = { failed: [], by: [] }
    let begun = 0
    let isOver = false
    const client = async () => {
      while (begun < requests && !isOver) await askOnce(begun++, answers)
    }
    const clientsDone = Promise.all(Array.from({ length: clients }, client))
    const stop = () => {
      isOver = true
    }
    await Promise.race([clientsDone, during(answers).finally(stop)])
    await clientsDone
    return answers
  }
}

function configOf(targets: readonly string[], route: object = {}, budget: object = {}, service: object = {}) {
  return {
    plugins: [health(), retry({ budget })],
    services: { shop: { targets, ...service } },
    routes: { all: { match: 'ANY /*', service: 'shop', retry: route } },
  }
}

describe('with two targets, one of which', () => {
  test('is killed, started again, stopped and let go on: no client sees an error', async () => {
    const [a, b] = [await startServerProcess('a'), await startServerProcess('b')]
    const watch = { tcp: true, interval: '1h', passive: { failures: 3, ejectFor: '200ms', maxEjectFor: '200ms' } }
    const { port } = await startGateway(
      configOf([a.origin, b.origin], { perTryTimeout: '250ms' }, {}, { health: watch }),
    )
    const { failed, by } = await load(port, 8)(20_000, async answers => {
      const more = async (count: number, name?: string) => {
        const from = answers.by.length
        const news = () => answers.by.slice(from).filter(each => name === undefined || each === name)
        await eventually(() => expect(news().length).toBeGreaterThan(count))
      }
      await more(100)
      await a.kill()
      await more(100)
      await a.restart()
      await more(20, 'a')
      b.pause()
      await more(100)
      b.resume()
      await more(20, 'b')
    })
    expect(failed).toEqual([])
    expect(by.length).toBeLessThan(20_000)
  })
})

describe('when all targets fail', () => {
  const ways: [string, (wire: Wire) => void][] = [
    ['answer 503', wire => wire.send(responseText(503))],
    ['close the connection', wire => wire.socket.end()],
    ['reset the connection', wire => wire.socket.resetAndDestroy()],
    ['do not answer', () => {}],
  ]

  test.each(ways)('they %s: the load is at most a fifth more', async (_, fail) => {
    let asked = 0
    const upstream = () =>
      rawUpstream(async wire => {
        for (;;) {
          await wire.request()
          asked++
          fail(wire)
        }
      })
    const [a, b] = [await upstream(), await upstream()]
    const { port } = await startGateway(configOf([a.origin, b.origin], { perTryTimeout: '200ms' }, { minPerSecond: 1 }))
    const { failed } = await load(port, 100)(400)
    expect(failed).toHaveLength(400)
    expect(asked).toBeGreaterThan(440)
    expect(asked).toBeLessThanOrEqual(480)
  })
})

test.each([
  ['a hedge that fails beside the one that answers counts against its target', reset, ['a', 'a']],
  ['of a hedge that is given up health hears nothing', hang, ['a', 'b']],
])('%s', async (_, second, then) => {
  const asked: string[] = []
  const fine = () => new Response()
  const late = Promise.withResolvers<Response>()
  const answers: Upstream[] = [() => late.promise, second]
  const upstream = (name: string) => (request: Request) => {
    asked.push(name)
    return (answers.shift() ?? fine)(request)
  }
  await using gateway = await testGateway(
    {
      plugins: [retry({ hedge: { after: '100ms' } }), health()],
      services: { shop: { targets: ['http://a', 'http://b'], health: { passive: { failures: 1 } } } },
      routes: { all: { match: 'ANY /*', service: 'shop', retry: true } },
    } as never,
    { upstreams: { 'http://a': upstream('a'), 'http://b': upstream('b') } },
  )
  const answer = gateway.fetch('/')
  await gateway.clock.advance(100)
  await gateway.clock.advance(1)
  late.resolve(fine())
  expect((await answer).status).toBe(200)
  await gateway.fetch('/')
  await gateway.fetch('/')
  expect(asked).toEqual(['a', 'b', ...then])
})

test('a hedge over sockets takes the place of a target that has been stopped', async () => {
  const [a, b] = [await startServerProcess('a'), await startServerProcess('b')]
  const { port, log } = await startGateway(
    configOf([a.origin, b.origin], { hedge: { after: '40ms' } }, { minPerSecond: 100 }),
  )
  a.pause()
  onTestFinished(() => a.resume())
  const { failed, by } = await load(port, 4)(40)
  expect([failed, by]).toEqual([[], Array(40).fill('b')])
  expect(log.access.some(({ fields }) => fields.attempts === 2)).toBe(true)
})

test('a client that leaves takes its attempts with it', async () => {
  const backend = await recordingBackend(() => responseText(503, ['Retry-After: 1']))
  const running = await startGateway(configOf([backend.origin]))
  const abort = new AbortController()
  const response = running.gateway.fetch('http://x/', { signal: abort.signal })
  await eventually(() => expect(backend.requests).toHaveLength(1))
  abort.abort()
  await expect(response).rejects.toThrow()
  expect(running.gateway.generations[0]?.inFlight).toBe(0)
  expect(running.gateway.shared).toContain('retry.budget shop')
})
