import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { errorTable } from '@gateway/core'
import { expect, test } from 'vitest'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const readme = readFileSync(join(root, 'README.md'), 'utf8')

test("the README's error table is the kernel's", () => {
  const rows = [...readme.matchAll(/^\| `(GATEWAY_\w+)` \| (\d{3}) \| \S.* \|$/gm)].map(([, code, status]) => [
    code,
    Number(status),
  ])
  expect(rows).toEqual(Object.entries(errorTable).map(([code, { status }]) => [code, status]))
})

test("the README's TypeScript compiles", () => {
  const blocks = [...readme.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code = '']) => code)
  expect(blocks).toHaveLength(2)
  // Inside the workspace, so that packages resolve as they do for a reader who copies the block into a file there.
  const folder = mkdtempSync(join(root, 'test', '.readme-'))
  try {
    const files = blocks.map((code, index) => {
      const file = join(folder, `block-${index}.ts`)
      writeFileSync(file, code.replace("'./examples/", "'../../examples/"))
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
