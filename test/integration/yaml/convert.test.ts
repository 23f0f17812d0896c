import { execFileSync } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { convert } from '@gateway/yaml'
import { afterAll, expect, test } from 'vitest'
import { typecheck } from '../../../core/src/loader/typecheck.ts'
import { packageFolder, readModel, surroundings } from './read-model.ts'

const shared = new URL('../../../../shared/data/go-gateway-yaml/', import.meta.url).pathname
const patterns = ['configs/**/*.{yaml,yml}', ...(existsSync(shared) ? [`${shared}**/*.{yaml,yml}`] : [])]
const files = globSync(patterns).sort()

const converted = packageFolder()
afterAll(() => converted[Symbol.dispose]())
const written: string[] = []

test.each(files)('%s comes to the same model as what it is converted to', async file => {
  const before = await readModel(file)
  const { code, problems } = await convert(file, surroundings())
  // What is refused as YAML is not converted.
  if (before.errors.length > 0) {
    expect(code === undefined || before.model === undefined).toBe(true)
    expect(problems.length + before.errors.length).toBeGreaterThan(0)
    return
  }
  const target = converted.write(`${written.length}-${basename(file)}.ts`, code ?? '')
  written.push(target)
  const after = await readModel(target)
  expect(after.errors).toEqual([])
  expect(after.model).toEqual(before.model)
})

test('all of them type-check, and are formatted as this repository is', async () => {
  expect(written.length).toBeGreaterThan(0)
  const names = written.map(file => basename(file))
  converted.write('tsconfig.json', JSON.stringify({ extends: resolve('tsconfig.json'), include: [], exclude: [] }))
  const index = converted.write('index.ts', names.map(name => `import './${name}'\n`).join(''))
  expect(await typecheck(index)).toEqual([])
  const rules = ['--config-path=.', '--vcs-enabled=false']
  execFileSync('node_modules/.bin/biome', ['format', ...rules, ...written], { stdio: 'pipe' })
})
