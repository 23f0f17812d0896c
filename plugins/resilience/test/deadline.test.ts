import { deadline, retry } from '@gateway/resilience'
import { hang, pluginSuite, testGateway } from '@gateway/testing'
import { describe, expect, onTestFinished, test } from 'vitest'

for (const { name, run } of pluginSuite(() => deadline(), { routeOptions: {} })) test(name, run)

async function start(options: object, more: object = {}, upstreams: object = {}) {
  const config = {
    // Listed the wrong way round: stages sort that.
    plugins: [deadline(), retry()],
    services: { shop: { targets: ['http://a', 'http://b'] } },
    routes: { all: { match: 'ANY /*', service: 'shop', timeout: { total: '5s' }, deadline: options, ...more } },
  }
  const told: (string | null)[] = []
  const gateway = await testGateway(config as never, {
    upstreams: {
      shop: request => {
        told.push(request.headers.get('x-request-timeout') ?? request.headers.get('grpc-timeout'))
        return new Response('fine')
      },
      ...upstreams,
    },
  })
  onTestFinished(() => gateway.close())
  return { gateway, told }
}

describe('tells the upstream', () => {
  test.each([
    ['what is left', {}, {}, '5000'],
    ['as gRPC has it', { header: 'grpc-timeout' }, {}, '5000m'],
    ['in a form of its own choice', { header: 'grpc-timeout', format: 'ms' }, {}, '5000'],
    ['the time of an attempt, where that is less', {}, { retry: { perTryTimeout: '2s' } }, '2000'],
    ['nothing, where there is no end', {}, { timeout: { total: 0 } }, null],
    [
      'in seconds, where eight digits would not do',
      { header: 'grpc-timeout' },
      { timeout: { total: '28h' } },
      '100800S',
    ],
  ])('%s', async (_, options, more, text) => {
    const { gateway, told } = await start(options, more)
    expect((await gateway.fetch('/')).status).toBe(200)
    expect(told).toEqual([text])
  })

  test('what is left for a later attempt', async () => {
    const backoff = { base: 0, max: 0 }
    const { gateway, told } = await start({}, { retry: { perTryTimeout: '2s', backoff } }, { 'http://a': hang })
    const response = gateway.fetch('/')
    await gateway.clock.advance('2s')
    expect((await response).status).toBe(200)
    const again = gateway.fetch('/')
    await gateway.clock.advance('2s')
    await again
    expect(told).toEqual(['2000', '2000'])
  })

  test('nothing that a client made up', async () => {
    const headers = { 'X-Request-Timeout': '1' }
    const { gateway, told } = await start({})
    await gateway.fetch('/', { headers })
    const endless = await start({}, { timeout: { total: 0 } })
    await endless.gateway.fetch('/', { headers })
    expect([told, endless.told]).toEqual([['5000'], [null]])
  })
})

describe('of a client that is trusted', () => {
  test.each([
    ['less counts', {}, '1500', '1500'],
    ['more does not', {}, '60000', '5000'],
    ['gRPC', { header: 'grpc-timeout' }, '2S', '2000m'],
    ['gRPC in microseconds', { header: 'grpc-timeout' }, '1500u', '1m'],
    ['what cannot be understood is passed over', {}, 'soon', '5000'],
    ['gRPC with nine digits is passed over', { header: 'grpc-timeout' }, '123456789m', '5000m'],
  ])('%s', async (_, options, given, text) => {
    const { gateway, told } = await start({ ...options, trust: true })
    const header = 'header' in options ? 'grpc-timeout' : 'X-Request-Timeout'
    expect((await gateway.fetch('/', { headers: { [header]: given } })).status).toBe(200)
    expect(told).toEqual([text])
  })

  test('it ends the request, also between attempts', async () => {
    const { gateway } = await start(
      { trust: true },
      { retry: { perTryTimeout: '1s' } },
      { 'http://a': hang, 'http://b': hang },
    )
    const response = gateway.fetch('/', { headers: { 'X-Request-Timeout': '1500' } })
    await gateway.clock.advance('1501ms')
    expect(await (await response).json()).toMatchObject({ status: 504, code: 'GATEWAY_TIMEOUT' })
  })

  test('who has none left is told so, and nothing is sent', async () => {
    const { gateway, told } = await start({ trust: true })
    const response = await gateway.fetch('/', { headers: { 'X-Request-Timeout': '0' } })
    expect([response.status, told]).toEqual([504, []])
  })
})

test('a wrong header or format is named', async () => {
  await expect(start({ header: 'a b' })).rejects.toThrow('must be the name of a header field')
  await expect(start({ format: 'seconds' })).rejects.toThrow('format')
})
