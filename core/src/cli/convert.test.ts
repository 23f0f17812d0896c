import { existsSync, readFileSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from '../../../test/support/folder.ts'
import { run } from './command-line.fixture.ts'

const yaml = `# Users.
gateway:
  frontend:
    http:
      port: \${PORT:-8080} # of the front
  registry:
    static:
      services:
        - name: users
          instances:
            - { address: 127.0.0.1, port: 3001 }
  router:
    rules:
      # One of them.
      - id: user
        path: /users/:id
        serviceName: users
        timeout: 5
        authorised: true # no such key
  telemtry:
    enabled: true
`

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = makeFolder(files)
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
  return folder
}

const text = `// Users.
// NOT CONVERTED gateway.yaml:20:3: unknown key "telemtry" (did you mean "telemetry"?)
import { defineConfig, env } from '@gateway/core'

export default defineConfig({
  listen: {
    port: env.number('PORT', { default: 8080 }), // of the front
    limits: { bodySize: 10485760 },
  },
  timeoutStatus: 408,
  services: {
    users: { targets: ['http://127.0.0.1:3001'] },
  },
  routes: {
    // One of them.
    // NOT CONVERTED gateway.yaml:19:9: unknown key "authorised"
    user: { match: 'ANY /users/:id', service: 'users', timeout: { total: '5s', head: '5s' } },
  },
})
`

test('what cannot be carried over is listed, and nothing is written', async () => {
  const folder = folderWith({ 'gateway.yaml': yaml })
  const { code, stdout, stderr } = await run(folder, 'convert', 'gateway.yaml', '-o', 'gateway.config.ts')
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/gateway\.yaml:19:9 error CONFIG_UNKNOWN_KEY unknown key "authorised"/)
  expect(stderr).toMatch(/gateway\.yaml:20:3 error CONFIG_UNKNOWN_KEY unknown key "telemtry"/)
  expect(stderr).toMatch(/2 places cannot be carried over: --force leaves a comment at each\n$/)
  expect(existsSync(join(folder, 'gateway.config.ts'))).toBe(false)
})

test('with --force a comment is left at each', async () => {
  const folder = folderWith({ 'gateway.yaml': yaml })
  const { code, stderr } = await run(folder, 'convert', 'gateway.yaml', '-o', 'gateway.config.ts', '--force')
  expect(stderr).toMatch(/warning CONFIG_UNKNOWN_KEY[\s\S]*gateway\.config\.ts is written/)
  expect(code).toBe(0)
  const written = readFileSync(join(folder, 'gateway.config.ts'), 'utf8')
  expect(written.replace(/ \(known: .*\)$/m, '')).toBe(text)
})

test('goes to standard output without -o, and over no file without --force', async () => {
  const [head = '', tail = ''] = yaml.split('        authorised: true # no such key\n  telemtry:\n    enabled: true\n')
  const folder = folderWith({ 'gateway.yaml': head + tail, 'gateway.config.ts': 'mine' })
  const { code, stdout } = await run(folder, 'convert', 'gateway.yaml')
  expect(code).toBe(0)
  expect(stdout).toBe(text.replaceAll(/^.*NOT CONVERTED.*\n/gm, ''))
  const refused = await run(folder, 'convert', 'gateway.yaml', '-o', 'gateway.config.ts')
  expect(refused).toMatchObject({ code: 1, stderr: 'gateway: gateway.config.ts exists: --force overwrites it\n' })
  expect(readFileSync(join(folder, 'gateway.config.ts'), 'utf8')).toBe('mine')
})

test('what is wrong as YAML is not converted, nor what is none', async () => {
  const folder = folderWith({ 'gateway.yaml': 'gateway: {}\n', 'gateway.config.ts': '' })
  const wrong = await run(folder, 'convert', 'gateway.yaml', '--force')
  expect(wrong).toMatchObject({ code: 1, stdout: '' })
  expect(wrong.stderr).toContain('gateway.yaml:1:10 error CONFIG_MISSING_KEY')
  const none = await run(folder, 'convert', 'gateway.config.ts')
  expect(none.stderr).toBe('gateway: gateway.config.ts is no YAML: what ends in .yaml or .yml can be converted\n')
  expect((await run(folder, 'convert')).code).toBe(2)
})

test('schema prints a JSON Schema with the options of installed plugins', async () => {
  const { code, stdout } = await run(folderWith({}), 'schema')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ $id: 'urn:gateway:schema:yaml', $defs: { 'cors.options': {} } })
})
