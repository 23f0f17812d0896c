/** A check that cannot fail is worse than none: each must find the faults planted in a copy of this repository. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyRepository, repository } from './copy.ts'

interface Plant {
  readonly check: string
  /** Files to write, by path. */
  readonly files: Readonly<Record<string, string>>
  /** What the check must say: all of it. */
  readonly says: readonly RegExp[]
  /** What is allowed, or somebody else's to say. */
  readonly silent?: readonly RegExp[]
}

let tree: string

beforeAll(() => {
  tree = copyRepository()
})

afterAll(() => rmSync(tree, { recursive: true, force: true }))

function check(...names: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['test/checks/check.ts', ...names], {
    cwd: tree,
    encoding: 'utf8',
  })
  return { status, output: stdout + stderr }
}

/** Writes the files, runs, and leaves the tree as it was. */
function withPlanted<T>(files: Readonly<Record<string, string>>, run: () => T): T {
  const undo: (() => void)[] = []
  for (const [file, text] of Object.entries(files)) {
    const path = join(tree, file)
    const before = existsSync(path) ? readFileSync(path, 'utf8') : undefined
    const made = mkdirSync(dirname(path), { recursive: true })
    undo.unshift(() =>
      before === undefined ? rmSync(made ?? path, { recursive: true, force: true }) : writeFileSync(path, before),
    )
    writeFileSync(path, text)
  }
  try {
    return run()
  } finally {
    for (const step of undo) step()
  }
}

const manifest = (name: string) =>
  JSON.stringify({ name: `@gateway/${name}`, exports: { '.': './src/index.ts', './contract': './src/contract.ts' } })
const exportLines = (count: number) => 'export {}\n'.repeat(count)

const plants: Plant[] = [
  {
    check: 'types',
    files: { 'core/src/planted.ts': "export const n: number = 'one'\n", '.ci/planted.ts': 'export const n: 1 = 2\n' },
    says: [/core\/src\/planted\.ts.*TS2322/, /\.ci\/planted\.ts.*TS2322/],
  },
  {
    check: 'mistakes',
    files: {
      'test/types/mistakes/planted-a.ts': '// error: TS2322\nexport const n: number = 1\n',
      'test/types/mistakes/planted-b.ts': "// error: no such text\nexport const n: number = 'one'\n",
      'test/types/mistakes/planted-c.ts': "// error: TS2322\n\nexport const n: number = 'one'\n",
      'test/types/mistakes/planted-d.ts': 'export const n = 1\n',
    },
    says: [
      /planted-a\.ts:2 compiles, or fails in another way; expected: TS2322/,
      /planted-b\.ts:2 compiles, or fails in another way; expected: no such text/,
      /planted-b\.ts:2 was not expected: TS2322/,
      /planted-c\.ts:2 compiles/,
      /planted-c\.ts:3 was not expected/,
      /planted-d\.ts expects no error/,
    ],
  },
  {
    check: 'lint',
    files: {
      'core/src/planted.ts': 'export const a: any = 1\n',
      'plugins/planted/src/index.ts': 'async function f() {}\nexport function g() {\n  f()\n}\n',
      'test/planted.ts': 'export  const  n = 1;\n',
    },
    says: [/core\/src\/planted\.ts.*noExplicitAny/, /noFloatingPromises/, /test\/planted\.ts format/],
  },
  {
    check: 'boundaries',
    files: {
      'plugins/planted-a/package.json': manifest('planted-a'),
      'plugins/planted-a/src/index.ts': "import '@gateway/core'\nimport '@gateway/planted-b'\nexport {}\n",
      'plugins/planted-a/src/contract.ts': "export * from '@gateway/planted-b/contract'\n",
      'plugins/planted-a/src/deep.ts': "export * from '../../../core/src/contract/errors.ts'\n",
      'plugins/planted-a/src/inner.ts': "import '@gateway/core/src/contract/errors.ts'\n",
      'plugins/planted-b/package.json': manifest('planted-b'),
      'plugins/planted-b/src/index.ts': "import '@gateway/testing'\n",
      'plugins/planted-b/src/contract.ts': "export type T = import('../../planted-a/src/index.ts').T\n",
      'plugins/planted-b/test/x.test.ts': "import '@gateway/testing'\n",
      'core/src/planted.ts': "export const load = () => import('@gateway/planted-a')\n",
      'core/src/listen/planted.ts': "import '../testing/index.ts'\n",
      'core/src/exchange/planted.ts': "export type * from '../config/planted.ts'\n",
      'core/src/config/planted.ts': "import '../cli/planted.ts'\n",
      'core/src/cli/planted.ts': "import '../routing/planted.ts'\nimport '../http1/nowhere.ts'\n",
      'core/src/routing/planted.ts': "import type { A } from '../generation/planted.ts'\nexport type B = A\n",
      'core/src/generation/planted.ts': 'export type A = 1\n',
      'core/src/http1/planted.ts': "export const w = new URL('../exchange/planted.ts', import.meta.url)\n",
      'core/src/contract/planted.ts': "import type { Socket } from 'node:net'\nimport { z } from 'zod'\n",
      'core/src/contract/planted-b.ts': "import type { B } from '../routing/planted.ts'\n",
    },
    says: [
      /plugins\/planted-a\/src\/index\.ts:2 imports @gateway\/planted-b: a plugin imports @gateway\/core/,
      /plugins\/planted-a\/src\/deep\.ts:1 .*: a relative import stays inside its package/,
      /plugins\/planted-a\/src\/inner\.ts:1 .*: a plugin imports @gateway\/core/,
      /plugins\/planted-b\/src\/index\.ts:1 .*: only tests import @gateway\/testing/,
      /plugins\/planted-b\/src\/contract\.ts:1 .*: a relative import stays inside its package/,
      /core\/src\/planted\.ts:1 imports @gateway\/planted-a: core imports no plugin/,
      /core\/src\/listen\/planted\.ts:1 .*: nobody imports the kernel's testing/,
      /core\/src\/exchange\/planted\.ts:1 .*: an exchange .* does not read config/,
      /core\/src\/config\/planted\.ts:1 .*: nobody imports cli/,
      /core\/src\/cli\/planted\.ts:2 .*: there is no such file/,
      /core\/src\/routing\/planted\.ts:1 .*: the wire and the router/,
      /core\/src\/http1\/planted\.ts:1 .*: the wire and the router/,
      /core\/src\/contract\/planted\.ts:2 imports zod: contract imports nothing/,
      /core\/src\/contract\/planted-b\.ts:1 .*: contract imports nothing/,
    ],
    silent: [
      /plugins\/planted-a\/src\/index\.ts:1 /,
      /plugins\/planted-a\/src\/contract\.ts/,
      /plugins\/planted-b\/test\/x\.test\.ts/,
      /core\/src\/contract\/planted\.ts:1 /,
      /core\/src\/cli\/planted\.ts:1 /,
      /core\/src\/generation\/planted\.ts/,
    ],
  },
  {
    check: 'circles',
    files: {
      'core/src/planted-a.ts': "export { b as a } from './planted-b.ts'\n",
      'core/src/planted-b.ts': "export const b = () => import('./planted-a.ts')\n",
      'core/src/planted-1/a.ts': "import type { B } from '../planted-2/b.ts'\nexport type A = B\n",
      'core/src/planted-2/b.ts': "import type { C } from '../planted-1/c.ts'\nexport type B = C\n",
      'core/src/planted-1/c.ts': 'export type C = 1\n',
    },
    says: [
      /core\/src\/planted-a\.ts → core\/src\/planted-b\.ts → core\/src\/planted-a\.ts/,
      /core\/src\/planted-1 → core\/src\/planted-2 → core\/src\/planted-1/,
    ],
  },
  {
    check: 'unused',
    files: {
      'core/src/planted.ts': 'export const n = 1\n',
      'core/src/planted-used.ts': "import 'planted-dependency'\nexport const used = 1\nexport const unused = 2\n",
      'core/src/planted.test.ts': "import { used } from './planted-used.ts'\nused.toFixed()\n",
      'plugins/planted/package.json': JSON.stringify({
        name: '@gateway/planted',
        exports: './src/index.ts',
        dependencies: { zod: '*' },
      }),
      'plugins/planted/src/index.ts': 'export {}\n',
      'plugins/planted/src/planted.ts': 'export {}\n',
    },
    says: [
      /^core\/src\/planted\.ts/m,
      /^unused .*core\/src\/planted-used\.ts/m,
      /planted-dependency/,
      /zod .*plugins\/planted\/package\.json/,
      /plugins\/planted\/src\/planted\.ts/,
    ],
  },
  {
    check: 'size',
    files: {
      'plugins/planted/src/index.ts': exportLines(451),
      ...Object.fromEntries(Array.from({ length: 16 }, (_, n) => [`core/src/planted-${n}.ts`, exportLines(300)])),
      'core/src/http1/planted.ts': exportLines(450),
    },
    says: [/plugins\/planted\/src\/index\.ts has 451 lines/, /the kernel has \d+ lines of code, the limit is \d+/],
  },
]

describe('each check finds what is planted for it', () => {
  test.each(plants)('$check', ({ check: name, files, says, silent = [] }) => {
    const { status, output } = withPlanted(files, () => check(name))
    expect(status).toBe(1)
    expect(output).toMatch(new RegExp(`^FAIL ${name} `, 'm'))
    for (const text of says) expect(output).toMatch(text)
    for (const text of silent) expect(output).not.toMatch(text)
  })

  test('licences', () => {
    const linked = join(tree, 'node_modules/pino')
    rmSync(linked)
    const { status, output } = withPlanted({ 'node_modules/pino/package.json': '{"license":"SSPL-1.0"}' }, () =>
      check('licences'),
    )
    symlinkSync(join(repository, 'node_modules/pino'), linked)
    expect(status).toBe(1)
    expect(output).toContain('node_modules/pino has the licence "SSPL-1.0"')
  })

  test('all failures are shown, and the others still pass', () => {
    const files = { 'core/src/planted.ts': `export const n: string = 1\n${exportLines(450)}` }
    const { status, output } = withPlanted(files, () => check('types', 'size', 'licences'))
    expect(status).toBe(1)
    expect(output).toMatch(/^FAIL types /m)
    expect(output).toMatch(/^FAIL size /m)
    expect(output).toMatch(/^ok {3}licences /m)
  })

  test('a check that looks at nothing fails', () => {
    const empty = mkdtempSync(join(tmpdir(), 'gateway-empty-'))
    writeFileSync(join(empty, 'package-lock.json'), '{"packages":{}}')
    for (const script of ['boundaries', 'circles', 'size', 'licences']) {
      const path = join(import.meta.dirname, `${script}.ts`)
      const { status, stderr } = spawnSync(process.execPath, [path], { cwd: empty, encoding: 'utf8' })
      expect(stderr).toMatch(/^no .* was found/)
      expect(status).toBe(1)
    }
    rmSync(empty, { recursive: true })
  })

  test('an unknown name is not a pass', () => {
    expect(check('tpyes').status).not.toBe(0)
  })
})

test('nothing is wrong in the tree as it is', () => {
  const { output } = check()
  expect(output.replace(/^ok .*\n/gm, '')).toBe('')
}, 60_000)
