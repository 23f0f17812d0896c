import assert from 'node:assert/strict'
import { expectNoLeak, pluginSuite, testPlugin } from '@gateway/testing'
import { test } from 'vitest'
import { servedBy } from './served-by.ts'

const routeOptions = { header: 'X-Served-By' }

for (const { name, run } of pluginSuite(() => servedBy(), { routeOptions })) test(name, run)

test('names the target, reload after reload', async () => {
  await using gateway = await testPlugin(servedBy(), { routeOptions, upstream: () => new Response('hello') })
  const ask = async () => {
    const response = await gateway.fetch('/users')
    assert.equal(await response.text(), 'hello')
    assert.equal(response.headers.get('X-Served-By'), 'http://upstream.test')
  }
  await ask()
  await expectNoLeak(gateway, { reloads: 100, between: ask })
})
