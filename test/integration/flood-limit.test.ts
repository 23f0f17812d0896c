import { hash } from 'node:crypto'
import { auth } from '@gateway/auth'
import { floodLimit, rateLimit } from '@gateway/ratelimit'
import { describe, expect, test } from 'vitest'
import { startGateway } from '../support/gateway.ts'
import { exchange } from '../support/wire.ts'

type Options = NonNullable<Parameters<typeof floodLimit>[0]>

const ok = { status: 200, body: 'ok' }
const hour = { window: '1h' } as const

describe('before anybody is asked who calls', () => {
  const keys = { ci: { hash: `sha256:${hash('sha256', 'good')}` } }
  const withBoth = (options: Options) => [auth({ apiKeys: { keys } }), rateLimit(), floodLimit(options)]

  test('guesses are counted, and both kinds of limits are told', async () => {
    const plugins = withBoth({ limits: [{ limit: 3, ...hour }] })
    const routes = { all: { match: 'ANY /*', reply: ok, rateLimit: { limit: 9, ...hour } } }
    const { port } = await startGateway({ plugins, routes })
    const ask = async (key: string) => exchange(port, 'GET /', [`X-API-Key: ${key}`])
    const good = await ask('good')
    expect(good.lines).toContain('RateLimit-Policy: "route";q=9;w=3600')
    expect(good.lines).toContain('RateLimit-Policy: "flood-gateway";q=3;w=3600')
    expect([(await ask('a')).status, (await ask('b')).status]).toEqual([401, 401])
    expect(await ask('good')).toMatchObject({ status: 429, body: expect.stringContaining('flood-gateway') })
  })

  test('a place is given back, whoever refuses', async () => {
    const plugins = withBoth({ limits: [{ limit: 1, algorithm: 'concurrency' }] })
    const route = { match: 'ANY /*', reply: ok, rateLimit: { limit: 1, algorithm: 'concurrency' } }
    const { port } = await startGateway({ plugins, routes: { all: route } })
    const ask = async (key: string) => (await exchange(port, 'GET /', [`X-API-Key: ${key}`])).status
    for (const key of ['good', 'bad', 'good']) expect(await ask(key)).toBe(key === 'good' ? 200 : 401)
  })

  test('nobody is known by name', async () => {
    const plugins = withBoth({ limits: [{ limit: 3, ...hour, by: 'user' }] })
    const routes = { all: { match: 'ANY /*', reply: ok } }
    await expect(startGateway({ plugins, routes })).rejects.toThrow(/by user, whom nobody knows yet/)
  })
})
