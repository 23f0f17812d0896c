import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from '../../../test/support/folder.ts'
import { type LooseConfig, type RunningGateway, startGateway } from '../../../test/support/gateway.ts'
import { connect, requestText } from '../../../test/support/wire.ts'
import { normalise } from '../config/normalise.ts'
import { createBringUp } from './bring-up.ts'

const listen = { port: 0, host: '127.0.0.1' }

/** A config as a file has it; `before` is its second line, `settings` its fourth. */
const fileConfig = ({ before = '', settings = '' } = {}) => `import { defineConfig, definePlugin } from '@gateway/core'
${before}
export default defineConfig({
  ${settings}
  routes: {
    mark: { match: 'GET /mark', reply: { status: 200, body: 'file' } },
    all: { match: 'GET /*', onRequest: ctx => ({ status: 200, body: ctx.path }), reply: { status: 200 } },
  },
})
`

/** A config in files of its own, brought up as the command line does it. */
function configFolder() {
  const folder = makeFolder()
  const write = (files: Readonly<Record<string, string>>) =>
    Object.entries(files).map(([name, text]) => {
      writeFileSync(join(folder, name), text)
      return join(folder, name)
    })
  return {
    folder,
    /** Returns the paths of what it wrote. */
    write,
    async start(files: Readonly<Record<string, string>>) {
      write(files)
      let running: RunningGateway | undefined
      const run = createBringUp({
        file: join(folder, 'gateway.config.ts'),
        envFile: undefined,
        typeErrors: 'ignore',
        strict: false,
        watcher: undefined,
        adjust: config => ({ ...(config as object), listen, log: { access: true } }),
        async apply(config) {
          running ??= await startGateway(config as LooseConfig)
          const result = await running.gateway.reload(config)
          const { model } = normalise(config)
          if (model === undefined) throw new Error('no model')
          return { ...result, model }
        },
      })
      const bringUp = (changed: readonly string[]) => run(new AbortController().signal, changed)
      await bringUp([])
      if (running === undefined) throw new Error('it did not start')
      return { ...(running as RunningGateway), bringUp }
    },
  }
}

test('a config that cannot be taken leaves the old one serving, and says why, with file, line and column', async () => {
  const files = configFolder()
  const { gateway, bringUp } = await files.start({ 'gateway.config.ts': fileConfig() })
  const failures: readonly (readonly [Readonly<Record<string, string>>, string, string])[] = [
    [{ 'gateway.config.ts': fileConfig().replace('routes: {', 'routes: {{') }, 'CONFIG_SYNTAX', '5:12'],
    [{ 'gateway.config.ts': fileConfig({ settings: 'drainTimout: 3,' }) }, 'CONFIG_UNKNOWN_KEY', '4:3'],
    [{ 'gateway.config.ts': fileConfig({ before: 'throw new TypeError()' }) }, 'CONFIG_THREW', '2:7'],
    [
      { 'gateway.config.ts': fileConfig({ before: `import './throws.ts'` }), 'throws.ts': '\nthrow new Error()' },
      'CONFIG_THREW',
      'throws.ts:2:7',
    ],
    [
      {
        'gateway.config.ts': fileConfig({
          before: `const slow = definePlugin({ name: 'slow', setup: () => new Promise<undefined>(() => {}) })`,
          settings: 'setupTimeout: 20, plugins: [slow()],',
        }),
      },
      'CONFIG_SETUP_FAILED',
      '4:31',
    ],
  ]
  for (const [changed, code, place] of failures) {
    const result = await bringUp(files.write(changed))
    const [problem] = result?.ok === false ? result.problems : []
    expect([problem?.code, `${problem?.file}:${problem?.line}:${problem?.column}`]).toEqual([
      code,
      join(files.folder, place.includes('.ts') ? place : `gateway.config.ts:${place}`),
    ])
    expect(gateway.generations.map(({ id }) => id)).toEqual([1])
  }
})

test('a save that leaves the code as it was, and an edit taken back, change nothing', async () => {
  const files = configFolder()
  const plugin = `const local = definePlugin({ name: 'local', setup: () => ({ onRoute: () => ({ onRequest() {} }) }) })`
  const text = fileConfig({ before: plugin, settings: 'plugins: [local()],' })
  const { gateway, bringUp } = await files.start({ 'gateway.config.ts': text })
  expect(await bringUp(files.write({ 'gateway.config.ts': `// A comment.\n${text}` }))).toMatchObject({
    changed: false,
  })
  expect(await bringUp(files.write({ 'gateway.config.ts': text.replace('routes: {', 'routes: {{') }))).toMatchObject({
    ok: false,
  })
  expect(await bringUp(files.write({ 'gateway.config.ts': text }))).toMatchObject({ changed: false })
  expect(gateway.generations.map(({ id }) => id)).toEqual([1])
  // When somebody asks for a reload, the code runs again: what it reads may have changed.
  expect(await bringUp([])).toMatchObject({ changed: true })
})

test("a reload's tenth promise: an edit of a plugin's own source swaps that plugin in", async () => {
  const plugin = (label: string) => `import { definePlugin } from '@gateway/core'
export const label = definePlugin({ name: 'label',
  setup: () => ({ onRoute: () => ({ onResponse: (_, head) => head.headers.set('X-Label', '${label}') }) }) })`
  const files = configFolder()
  const config = fileConfig({ before: `import { label } from './label.ts'`, settings: 'plugins: [label()],' })
  const { gateway, bringUp, port } = await files.start({ 'gateway.config.ts': config, 'label.ts': plugin('one') })
  const client = await connect(port)
  const label = async () => {
    client.send(requestText('GET /mark'))
    return (await client.response()).lines.find(line => line.startsWith('X-Label'))
  }
  expect(await label()).toBe('X-Label: one')
  expect(await bringUp(files.write({ 'label.ts': plugin('two') }))).toMatchObject({ ok: true, changed: true })
  expect(await label()).toBe('X-Label: two')
  expect(gateway.generations.map(({ id }) => id)).toEqual([2])
})
