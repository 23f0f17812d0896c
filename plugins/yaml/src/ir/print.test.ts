import { SourceMap } from 'node:module'
import { expect, test } from 'vitest'
import { Problems } from '../problems.ts'
import { valueAt } from '../read/node.ts'
import { parseYaml } from '../read/parse.ts'
import type { ObjectIr } from './ir.ts'
import { call, makeIr } from './make-ir.ts'
import { printModule } from './print.ts'
import { quote } from './quote.ts'
import { sourceMap } from './source-map.ts'

const read = (text: string) => parseYaml('/a/b.yaml', text, { problems: new Problems(), variable: () => undefined })

function objectOf(entries: Record<string, Parameters<typeof makeIr>[0]>): ObjectIr {
  const ir = makeIr(entries)
  if (ir.kind !== 'object') throw new Error('no object')
  return ir
}

test('values, lists, objects and calls become the module that exports them', () => {
  const config = objectOf({
    port: 80,
    'a-b': null,
    __proto__x: true,
    accept: /^a\/b$/i,
    left: undefined,
    plugins: [call('@x/a', 'make', [{ k: call('@gateway/core', 'secret.file', ["/o'k"]) }]), call('@x/b', 'make', [])],
  })
  expect(printModule(config).code).toBe(`import { defineConfig, secret } from '@gateway/core'
import { make } from '@x/a'
import { make as make2 } from '@x/b'

export default defineConfig({
  port: 80,
  'a-b': null,
  __proto__x: true,
  accept: /^a\\/b$/i,
  plugins: [make({ k: secret.file("/o'k") }), make2()],
})
`)
})

test('no key sets the prototype, no text ends its quotes', async () => {
  const config = objectOf({ list: [] })
  const odd = `\u2028\\'"\`\${x}\n\0`
  const code = printModule({ ...config, entries: new Map([['__proto__', makeIr(odd)]]) }).code
  const body = code.slice(code.indexOf('(') + 1, code.lastIndexOf(')'))
  const made: object = new Function(`return ${body}`)()
  expect(Object.entries(made)).toEqual([['__proto__', odd]])
  expect(new Function(`return ${quote(odd)}`)()).toBe(odd)
})

test('the source map leads every value and key back to its place, and what has none to what it is in', () => {
  const root = read('port: 80\nlist:\n  - a\n  - name: b\n')
  const list = root && valueAt(root, 'list')
  const config = objectOf({ listen: { port: valueAt(root, 'port'), more: { list, own: 1 } } })
  const { code, marks } = printModule(config)
  const map = new SourceMap({ file: '', sourcesContent: [], sourceRoot: '', ...sourceMap(marks, '/a/config.yaml') })
  const placeOf = (word: string) => {
    const before = code.slice(0, code.indexOf(word)).split('\n')
    const origin = map.findOrigin(before.length, (before.at(-1)?.length ?? 0) + 1)
    return 'fileName' in origin ? [origin.fileName, origin.lineNumber, origin.columnNumber] : undefined
  }
  expect(placeOf('80')).toEqual(['b.yaml', 1, 7])
  expect(placeOf("'a'")).toEqual(['b.yaml', 3, 5])
  expect(placeOf('name')).toEqual(['b.yaml', 4, 5])
  expect(placeOf("'b'")).toEqual(['b.yaml', 4, 11])
})
