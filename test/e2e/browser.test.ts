import { expect, test } from 'vitest'
import { protocolOf, useBrowser } from '../support/browser.ts'
import { createAuthority } from '../support/certificates.ts'
import { digest, large, type Site, startSite } from './site.ts'

const authority = await createAuthority()
const openPage = useBrowser()

test.each<[keyof Site, string, string]>([
  ['http', 'http/1.1', '1.1 gateway'],
  ['https', 'h2', '2 gateway'],
  ['https1', 'http/1.1', '1.1 gateway'],
])('Chromium, %s: %s', async (scheme, protocol, via) => {
  const origin = (await startSite(authority))[scheme]
  const page = await openPage()
  const answer = await page.goto(`${origin}/app/page`)
  expect([answer?.status(), await page.textContent('h1'), await protocolOf(page)]).toEqual([200, 'hello', protocol])

  const seen = await page.evaluate(async () => {
    const ask = async (path: string, init?: RequestInit) => {
      const response = await fetch(path, init)
      const sum = await crypto.subtle.digest('SHA-256', await response.arrayBuffer())
      return { status: response.status, via: response.headers.get('x-via'), sum: [...new Uint8Array(sum)] }
    }
    const missing = await fetch('/nowhere')
    return {
      get: await ask('hello'),
      head: await ask('hello', { method: 'HEAD' }),
      post: await ask('echo', { method: 'POST', body: 'x'.repeat(1_000_000) }),
      large: await ask('large'),
      many: await Promise.all(Array.from({ length: 30 }, (_, number) => ask(`hello?${number}`))),
      missing: [missing.status, missing.headers.get('content-type'), Object(await missing.json()).code],
    }
  })
  const fine = (body: string | Uint8Array) => ({ status: 200, via, sum: [...Buffer.from(digest(body), 'hex')] })
  expect(seen).toEqual({
    get: fine('hello'),
    head: fine(''),
    post: fine('x'.repeat(1_000_000)),
    large: fine(large),
    many: Array(30).fill(fine('hello')),
    missing: [404, 'application/problem+json', 'GATEWAY_ROUTE_NOT_FOUND'],
  })
})
