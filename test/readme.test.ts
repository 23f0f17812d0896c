import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { errorTable, type Plugin } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const read = (page: string) => readFileSync(join(root, page), 'utf8')
const readme = read('README.md')
const packages = globSync('plugins/*', { cwd: root }).toSorted()

test("the README's error table is the kernel's", () => {
  const rows = [...readme.matchAll(/^\| `(GATEWAY_\w+)` \| (\d{3}) \| \S.* \|$/gm)].map(([, code, status]) => [
    code,
    Number(status),
  ])
  expect(rows).toEqual(Object.entries(errorTable).map(([code, { status }]) => [code, status]))
})

const blocksOf = (page: string) => [...read(page).matchAll(/^```ts\n(.*?)^```/gms)].map(([, code = '']) => code)
/** A block as it has to be in a folder of test/. */
const inTest = (code: string) => code.replace(/(?<=')\.(?=\/(examples\/|gateway\.config))/g, '../..')

test('the TypeScript of every README compiles', () => {
  const pages = ['README.md', 'testing/README.md', ...packages.map(folder => `${folder}/README.md`)]
  const blocks = pages.flatMap(page => blocksOf(page))
  // Two of the gateway's, and at least one of each package.
  expect(blocks.length).toBeGreaterThanOrEqual(2 + packages.length)
  // Inside the workspace, so that packages resolve as they do for a reader who copies the block into a file there.
  const folder = mkdtempSync(join(root, 'test', '.readme-'))
  try {
    const files = blocks.map((code, index) => {
      const file = join(folder, `block-${index}.ts`)
      writeFileSync(file, inTest(code))
      return file
    })
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: '../../tsconfig.json', files, include: [], exclude: [] }),
    )
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], {
      encoding: 'utf8',
    })
    expect(stdout).toBe('')
    expect(status).toBe(0)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test("the test kit's README shows what vitest runs here, and node:test runs it, too", () => {
  const tests = blocksOf('testing/README.md')
  expect(tests).toEqual([
    read('gateway.config.test.ts'),
    read('examples/basic/served-by.test.ts').replace("'./", "'./examples/basic/"),
  ])
  const folder = mkdtempSync(join(root, 'test', '.readme-'))
  try {
    const files = tests.map((code, index) => {
      const file = join(folder, `${index}.test.ts`)
      writeFileSync(file, inTest(code).replace("'vitest'", "'node:test'"))
      return file
    })
    const args = ['--test', '--test-reporter=tap', ...files]
    const { stdout, status } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    expect(stdout).toMatch(/^# pass [1-9]\d+\n# fail 0$/m)
    expect(status).toBe(0)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test("every script that the README names is one of package.json's", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const named = [...readme.matchAll(/npm (?:run )?(start|test(?::coverage)?|dev|build|check|bench|fuzz|clean)\b/g)].map(
    ([, name = '']) => name,
  )
  expect(named).toContain('bench')
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named))
})

/** Keys that a config may write, through alternatives. */
function keysOf(schema: unknown): string[] {
  const keys = ({ properties = {}, anyOf = [], allOf = [] }: z.core.JSONSchema.BaseSchema): string[] => [
    ...Object.keys(properties),
    ...[...anyOf, ...allOf].flatMap(part => (typeof part === 'object' ? keys(part) : [])),
  ]
  return schema instanceof z.ZodType ? keys(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })) : []
}

// What reads YAML is no plugin.
describe.each(packages.filter(folder => folder !== 'plugins/yaml'))('%s', folder => {
  test('its README has a row for every option', async () => {
    const exported: Record<string, unknown> = await import(join(root, folder, 'src/index.ts'))
    const plugins = Object.values(exported).flatMap(make => {
      if (typeof make !== 'function' || make.length > 1) return []
      try {
        const made: unknown = make()
        return typeof made === 'object' && made !== null && 'definition' in made ? [made as Plugin] : []
      } catch {
        return []
      }
    })
    expect(plugins).not.toEqual([])
    const page = read(`${folder}/README.md`)
    for (const { definition } of plugins) {
      const { options, routeOptions, serviceOptions, extensions = [] } = definition
      const keys = [options, routeOptions, serviceOptions].flatMap(keysOf)
      expect(keys.filter(key => !page.includes(`\n| \`${key}\` |`))).toEqual([])
      const more = extensions.flatMap(extension => keysOf(extension.options))
      expect(more.filter(key => !page.includes(`\`${key}`))).toEqual([])
    }
  })
})
