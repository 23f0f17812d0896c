import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { makeFolder } from '../../../test/support/folder.ts'
import { startUpstream } from '../../../test/support/upstream.ts'
import { launch, run } from './command-line.fixture.ts'

/** Answers with its name and the Authorization field that it got. */
const named = (name: string) =>
  startUpstream((request, response) => response.end(`${name} ${request.headers.authorization}`))

const config = `import { defineConfig, definePlugin, env, secret, secretText } from '@gateway/core'
import * as z from 'zod'

const bearer = definePlugin({
  name: 'bearer',
  options: z.strictObject({ token: secretText() }),
  setup: (host, { token }) => {
    host.log.info('set up', { token, deep: { list: [token] } })
    return { onRoute: () => ({ onAttempt: (_, attempt) => attempt.headers.set('Authorization', token.value) }) }
  },
})
export default defineConfig({
  listen: { port: env.number('PORT'), host: '127.0.0.1' },
  plugins: [bearer({ token: secret.file('secrets/token') })],
  services: { s: { targets: [env.url('UPSTREAM')] } },
  routes: { r: { match: 'ANY /*', service: 's' } },
})
`

/** As a Secret is mounted by Kubernetes. */
function mount(folder: string, version: number, text: string): void {
  const secrets = join(folder, 'secrets')
  mkdirSync(join(secrets, `..v${version}`), { recursive: true })
  writeFileSync(join(secrets, `..v${version}`, 'token'), text)
  symlinkSync(`..v${version}`, join(secrets, '..data_tmp'))
  renameSync(join(secrets, '..data_tmp'), join(secrets, '..data'))
  if (version === 1) symlinkSync('..data/token', join(secrets, 'token'))
  else rmSync(join(secrets, `..v${version - 1}`), { recursive: true })
}

test('a rotated secret is sent from then on, without a reload; a changed .env file reloads', async () => {
  const [a, b] = await Promise.all(['a', 'b'].map(named))
  const folder = makeFolder({ 'gateway.config.ts': config, 'my.env': `PORT=0\nUPSTREAM=${a?.origin}\n` })
  mount(folder, 1, 'first-s3cret\n')
  const gateway = launch(folder, 'start', '--watch', '--env-file', 'my.env')
  const url = await gateway.url()
  const sent = async () => (await fetch(url)).text()
  expect(await sent()).toBe('a first-s3cret')
  mount(folder, 2, 'second-s3cret\n')
  await eventually(async () => expect(await sent()).toBe('a second-s3cret'))
  await gateway.printed(/"level":"info",.*"secret":"secrets\/token","msg":"a secret was rotated"/)
  // The first reload is this one: none came of the rotation.
  writeFileSync(join(folder, 'my.env'), `PORT=0\nUPSTREAM=${b?.origin}\n`)
  await gateway.printed(/"generation":2,.*"changed":\["my\.env"\],"msg":"reloaded"/)
  expect(await sent()).toBe('b second-s3cret')
  gateway.child.kill('SIGTERM')
  const { code, stdout, stderr } = await gateway.ended
  expect(code).toBe(0)
  expect(stdout).toContain('"token":"[secret secrets/token]","deep":{"list":["[secret secrets/token]"]}')
  expect(stdout.match(/"msg":"reloaded"/g)).toHaveLength(1)
  expect(stdout + stderr).not.toContain('s3cret')
})

test('what is missing is told with its place, and never what a secret is', async () => {
  const variables = { 'my.env': 'PORT=0\nUPSTREAM=http://127.0.0.1:1\n' }
  const fine = makeFolder({ 'gateway.config.ts': config, ...variables })
  mount(fine, 1, 's3cret')
  const inline = config.replace("secret.file('secrets/token')", "'s3cret'")
  const [start, print, check] = await Promise.all([
    run(makeFolder({ 'gateway.config.ts': config }), 'start'),
    run(fine, 'print', '--env-file', 'my.env'),
    run(makeFolder({ 'gateway.config.ts': inline, ...variables }), 'check', '--env-file', 'my.env'),
  ])
  expect(start).toEqual({
    code: 1,
    stdout: '',
    stderr: `gateway.config.ts:13:23 error CONFIG_ENV_MISSING the environment variable PORT is not set
  export PORT=…, or give it a default
gateway.config.ts:14:36 error CONFIG_SECRET_FILE cannot read the secret file secrets/token: there is no such file
gateway.config.ts:15:34 error CONFIG_ENV_MISSING the environment variable UPSTREAM is not set
  export UPSTREAM=…, or give it a default
`,
  })
  expect(print).toMatchObject({ code: 0, stderr: '' })
  expect(print.stdout).toContain('"token": "[secret secrets/token]"')
  expect(check).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^gateway\.config\.ts:14:29 warning CONFIG_SECRET_INLINE /),
    stderr: 'gateway.config.ts has 1 warning: 1 route, 1 service, 1 plugin; reads PORT, UPSTREAM\n',
  })
  expect(print.stdout + check.stdout).not.toContain('s3cret')
})
