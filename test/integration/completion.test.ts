import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { completionsAt } from '../support/language-server.ts'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

test("an editor completes a plugin's route option, services' names and the keys of a route", async () => {
  const text = `
    import { defineConfig } from '@gateway/core'
    import { servedBy } from './examples/basic/served-by.ts'
    export default defineConfig({
      plugins: [servedBy()],
      services: { users: { targets: [] }, orders: { targets: [] } },
      routes: {
        a: { match: 'GET /a', service: 'users', servedBy: { /*1*/ } },
        b: { match: 'GET /b', service: '/*2*/' },
        c: { match: 'GET /c', service: 'users', /*3*/ },
      },
    })`
  const [options, services, keys] = await completionsAt(root, join(root, 'completion.ts'), text)
  expect(options).toEqual(['header'])
  expect(services?.sort()).toEqual(['orders', 'users'])
  expect(keys).toEqual(expect.arrayContaining(['servedBy', 'rewrite', 'timeout', 'host', 'onRequest']))
  expect(keys).not.toContain('match')
})
