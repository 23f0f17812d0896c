import type { Reply } from '@gateway/core'
import { cors } from '@gateway/cors'
import { describe, expect, test } from 'vitest'
import { useBrowser } from '../../../test/support/browser.ts'
import { startGateway } from '../../../test/support/gateway.ts'
import { startUpstream } from '../../../test/support/upstream.ts'

type Policy = NonNullable<Parameters<typeof cors>[0]>

interface Asked {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly credentials?: 'include'
  readonly body?: string
}

const openPage = useBrowser()

/** What a page of `host` gets when it fetches from a gateway with this policy; the origin of 127.0.0.1 is the page's. */
async function fetchFrom(host: string, policy: (origin: string) => Policy, asked: Asked, reply: Partial<Reply> = {}) {
  const pages = await startUpstream((_request, response) => {
    response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>page</title>')
  })
  const answer = { status: 200, body: 'data', headers: { 'X-Total': '7' }, ...reply }
  const { port } = await startGateway({
    plugins: [cors(policy(`http://127.0.0.1:${pages.port}`))],
    routes: { data: { match: 'ANY /data', reply: answer } },
  })
  const page = await openPage()
  await page.goto(`http://${host}:${pages.port}/`)
  return page.evaluate(
    async ([url, init]) => {
      try {
        const response = await fetch(url, init)
        return `${response.status} ${await response.text()} ${response.headers.get('x-total')}`
      } catch {
        return 'blocked'
      }
    },
    [`http://127.0.0.1:${port}/data`, asked] as const,
  )
}

const listed =
  (more: Omit<Policy, 'origins'> = {}) =>
  (origin: string) => ({ origins: [origin], ...more })
const withHeader = { headers: { 'X-Custom': '1' } }
const json = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }

describe('a page in Chromium', () => {
  test.each<[string, string, (origin: string) => Policy, Asked, string]>([
    ['of a listed origin reads', '127.0.0.1', listed(), {}, '200 data null'],
    ['of another origin does not', 'localhost', listed(), {}, 'blocked'],
    ['of any origin reads what is for all', 'localhost', () => ({ origins: '*' }), {}, '200 data null'],
    ['of a pattern reads', 'localhost', () => ({ origins: ['http://localhost:*'] }), {}, '200 data null'],
    ['reads exposed fields', '127.0.0.1', listed({ exposedHeaders: ['X-Total'] }), {}, '200 data 7'],
    ['may send any field', '127.0.0.1', listed(), withHeader, '200 data null'],
    ['may send a listed field', '127.0.0.1', listed({ headers: ['x-custom'] }), withHeader, '200 data null'],
    ['may not send another field', '127.0.0.1', listed({ headers: ['x-other'] }), withHeader, 'blocked'],
    ['may send JSON', '127.0.0.1', listed(), json, '200 data null'],
    ['may use any method', '127.0.0.1', listed(), { method: 'DELETE' }, '200 data null'],
    ['may use a listed method', '127.0.0.1', listed({ methods: ['PUT'] }), { method: 'PUT' }, '200 data null'],
    ['may not use another method', '127.0.0.1', listed({ methods: ['PUT'] }), { method: 'DELETE' }, 'blocked'],
    ['may send cookies', '127.0.0.1', listed({ credentials: true }), { credentials: 'include' }, '200 data null'],
    ['may not send them unasked', '127.0.0.1', listed(), { credentials: 'include' }, 'blocked'],
    ['may not send them to all', '127.0.0.1', () => ({ origins: '*' }), { credentials: 'include' }, 'blocked'],
    [
      'may preflight with cookies',
      '127.0.0.1',
      listed({ credentials: true }),
      { ...json, credentials: 'include' },
      '200 data null',
    ],
  ])('%s', async (_, host, policy, asked, expected) => {
    expect(await fetchFrom(host, policy, asked)).toBe(expected)
  })

  test('reads an error as well', async () => {
    const reply = { status: 403, headers: { 'X-Total': '0' }, body: 'no' }
    expect(await fetchFrom('127.0.0.1', listed(), withHeader, reply)).toBe('403 no null')
  })
})
