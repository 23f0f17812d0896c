import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from '../../../test/support/folder.ts'
import { launch, run } from './command-line.fixture.ts'

const file = 'gateway.config.ts'
const fine = `import { defineConfig } from '@gateway/core'

const port: number = 0
export default defineConfig({
  listen: { port, host: '127.0.0.1' },
  routes: { hello: { match: 'GET /hello', reply: { status: 200, body: 'hello' } } },
})
`
/** Only the compiler can see it. */
const mistyped = fine
  .replace('const port: number = 0', 'export const name: number = "x"\nconst port = 0')
  .replace('hello', 'hallo')

const hello = async (url: string) => (await fetch(`${url}/hello`)).text()

test('a save goes live; a type error is shown in its lines and does not', { timeout: 60_000 }, async () => {
  const folder = makeFolder({ [file]: fine })
  const gateway = launch(folder, 'dev')
  const url = await gateway.url()
  expect(await hello(url)).toBe('hello')
  await gateway.printed(/"path":"\/hello".*"status":200.*"msg":"request"/)

  writeFileSync(join(folder, file), fine.replace("body: 'hello'", "body: 'hello again'"))
  await gateway.printed(/"generation":2,"msg":"gateway\.config\.ts changed: ~1 route \(hello\), live in \d+ ms"/)
  expect(await hello(url)).toBe('hello again')

  writeFileSync(join(folder, file), mistyped)
  await gateway.printed(
    /"generation":2,"msg":"gateway\.config\.ts changed: 1 error after \d+ ms, the old config goes on serving"/,
  )
  await gateway.printed(
    /\ngateway\.config\.ts:3:14 error TS2322 .*\n {2}2 \|\n> 3 \| export const name: number = "x"\n {4}\| {14}\^\n {2}4 \| const port = 0\n/,
    'stderr',
  )
  expect(await hello(url)).toBe('hello again')

  const unused = "services: { spare: { targets: ['http://127.0.0.1:1'] } },\n  routes"
  writeFileSync(join(folder, file), fine.replace("body: 'hello'", "body: 'mended'").replace('routes', unused))
  await gateway.printed(
    /"generation":3,"msg":"gateway\.config\.ts changed: ~1 route \(hello\), \+1 service \(spare\), live/,
  )
  await gateway.printed(
    /\ngateway\.config\.ts:6:22 warning CONFIG_UNUSED_SERVICE .*\n {2}5 \| .*\n> 6 \| {3}services: .*\n {4}\| {22}\^\n/,
    'stderr',
  )
  expect(await hello(url)).toBe('mended')
  gateway.child.kill('SIGINT')
  expect((await gateway.ended).code).toBe(0)
})

test('it does not start with a type error', async () => {
  const { code, stdout, stderr } = await run(makeFolder({ [file]: mistyped }), 'dev')
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/^gateway\.config\.ts:3:14 error TS2322 /)
})

test('with --allow-type-errors it does, and shows it', async () => {
  const gateway = launch(makeFolder({ [file]: mistyped }), 'dev', '--allow-type-errors')
  await gateway.url()
  await gateway.printed(/gateway\.config\.ts:3:14 error TS2322 /, 'stderr')
})

test('an error in a module that is there for its types alone is mended there', { timeout: 60_000 }, async () => {
  const typed = fine.replace('const port: number', `import type { Port } from './port.ts'\nconst port: Port`)
  const folder = makeFolder({ [file]: typed, 'port.ts': 'export type Port = number\n' })
  const gateway = launch(folder, 'dev')
  const url = await gateway.url()
  writeFileSync(join(folder, 'port.ts'), 'export type Port = nmuber\n')
  writeFileSync(join(folder, file), typed.replace("body: 'hello'", "body: 'hello again'"))
  await gateway.printed(/\nport\.ts:1:20 error TS2552 /, 'stderr')
  writeFileSync(join(folder, 'port.ts'), 'export type Port = number\n')
  await gateway.printed(/"generation":2,"msg":"port\.ts changed: ~1 route \(hello\), live/)
  expect(await hello(url)).toBe('hello again')
})
