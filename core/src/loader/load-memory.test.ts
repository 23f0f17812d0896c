import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { beforeEach, expect, test } from 'vitest'
import { makeFolder } from '../../../test/support/folder.ts'

/** These run in a process of their own: vitest rewrites stack traces, and a heap limit belongs to a process. */

let folder: string

beforeEach(() => {
  folder = makeFolder()
})

async function run(script: string, ...flags: string[]): Promise<unknown> {
  const file = join(folder, 'child.mjs')
  const imports = {
    load: join(import.meta.dirname, 'load.ts'),
    errors: join(import.meta.dirname, '../contract/errors.ts'),
  }
  const lines = Object.entries(imports).map(([name, path]) => `import * as ${name} from '${pathToFileURL(path).href}'`)
  const kernel = `const kernel = { '@gateway/core': { ...errors, defineConfig: config => config } }`
  writeFileSync(file, [...lines, kernel, script].join('\n'))
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, file], { cwd: folder, timeout: 60_000 })
  return JSON.parse(stdout)
}

test('120 reloads of a changing config stay flat under a heap of 64 MB', { timeout: 60_000 }, async () => {
  mkdirSync(join(folder, 'lib'))
  for (let index = 0; index < 8; index++) {
    // About 35 KB of source: with its source map and objects, 120 generations that nobody collects fill 64 MB.
    const table = Array.from(
      { length: 80 },
      (_, row) => `  key${row}: { path: '/v${index}/users/${row}', limit: ${row} },`,
    )
    writeFileSync(join(folder, `lib/part${index}.ts`), `export const part${index} = {\n${table.join('\n')}\n}`)
  }
  const result = await run(
    `
    import { writeFileSync } from 'node:fs'
    const parts = Array.from({ length: 8 }, (_, index) => index)
    const source = round => [
      ...parts.map(index => "import { part" + index + " } from './lib/part" + index + ".ts'"),
      "import { GatewayError, defineConfig } from '@gateway/core'",
      "import { setTimeout as sleep } from 'node:timers/promises'",
      "await sleep(0)",
      "enum Round { Now = " + round + " }",
      "const late = await import('./lib/part0.ts')",
      "export default defineConfig({ round: Round.Now, late, parts: [" + parts.map(index => 'part' + index) + "],",
      "  fail(): void { throw new GatewayError('GATEWAY_TIMEOUT', 'late') } })",
    ].join('\\n')
    let current, same = 0, heapEarly = 0
    for (let round = 0; round < 120; round++) {
      writeFileSync('gateway.config.ts', source(round))
      const next = await load.loadConfigFile('gateway.config.ts', { kernel })
      if (!next.ok) throw new Error(JSON.stringify(next.problems))
      if (next.warnings.length > 0) throw new Error(JSON.stringify(next.warnings))
      current?.dispose()
      current = next
      try { current.config.fail() } catch (error) {
        if (error instanceof errors.GatewayError && current.config.round === round) same++
        if (current.sourceOf(error)?.line !== 15) throw new Error('no source: ' + error.stack)
      }
      if (round === 30) { gc(); heapEarly = process.memoryUsage().heapUsed }
    }
    gc()
    const grownBy = process.memoryUsage().heapUsed - heapEarly
    console.log(JSON.stringify({ same, grownBy }))
    `,
    '--max-old-space-size=64',
    '--expose-gc',
  )
  expect(result).toMatchObject({ same: 120 })
  expect(result).toHaveProperty('grownBy')
  if (typeof result === 'object' && result !== null && 'grownBy' in result) {
    expect(result.grownBy).toBeLessThan(5_000_000)
  }
})

test('stack traces show TypeScript lines, on every load', async () => {
  writeFileSync(
    join(folder, 'fail.ts'),
    `interface Unused {}\n\nexport function fail(text: string): never {\n  throw new Error(text)\n}`,
  )
  writeFileSync(join(folder, 'gateway.config.ts'), `import { fail } from './fail.ts'\nexport default { fail }`)
  const stacks = await run(`
    const stacks = []
    for (let round = 0; round < 2; round++) {
      const { config } = await load.loadConfigFile('gateway.config.ts', { kernel })
      try { config.fail('x') } catch (error) { stacks.push(error.stack) }
    }
    console.log(JSON.stringify(stacks))
  `)
  const place = expect.stringContaining(`${join(folder, 'fail.ts')}:4:9`)
  expect(stacks).toEqual([place, place])
})

test('a rejection that is not of the config still ends the process while one is loaded', async () => {
  writeFileSync(
    join(folder, 'gateway.config.ts'),
    `await new Promise(resolve => setTimeout(resolve, 10_000))\nexport default {}`,
  )
  const failing = run(`
    const loading = load.loadConfigFile('gateway.config.ts', { kernel })
    setTimeout(() => { Promise.reject(new Error('elsewhere')) }, 500)
    await loading
  `)
  await expect(failing).rejects.toThrow('elsewhere')
})

test('a plugin installed beside a kernel of its own gets the running kernel', async () => {
  const other = join(folder, 'node_modules/@gateway/core')
  const plugin = join(folder, 'node_modules/plugin')
  mkdirSync(other, { recursive: true })
  mkdirSync(plugin)
  writeFileSync(join(other, 'package.json'), '{"name":"@gateway/core","type":"module","exports":"./index.js"}')
  writeFileSync(join(other, 'index.js'), `export const which = 'another'`)
  writeFileSync(join(plugin, 'package.json'), '{"name":"plugin","type":"module","exports":"./index.js"}')
  writeFileSync(join(plugin, 'index.js'), `export const kernelUrl = import.meta.resolve('@gateway/core')`)
  writeFileSync(join(folder, 'gateway.config.ts'), `import { kernelUrl } from 'plugin'\nexport default { kernelUrl }`)
  const url = await run(`
    const { config } = await load.loadConfigFile('gateway.config.ts', { kernel })
    console.log(JSON.stringify(config.kernelUrl))
  `)
  expect(url).toBe(pathToFileURL(join(import.meta.dirname, '../index.ts')).href)
})
