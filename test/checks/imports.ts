import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { parseSync, Visitor } from 'oxc-parser'

/** One import as written: static, `export … from`, dynamic, `import('x').T` in a type, or a `new URL('x', import.meta.url)`. */
export interface Import {
  /** The file that holds it, from the root of the repository. */
  readonly file: string
  readonly line: number
  readonly specifier: string
  /** The file it means, from the root of the repository; undefined for packages of the registry and Node's modules. */
  readonly target: string | undefined
  /** Erased when it runs. `import { type T } from` is not: under verbatimModuleSyntax it still loads the module. */
  readonly typeOnly: boolean
}

const sources = ['{core,testing,plugins,examples,configs,test,.ci}/**/*.{ts,js}', '*.ts']
const skipped = /(^|\/)(node_modules|dist)\/|^test\/fixtures\//

/** Every import of every source file under `root`. Throws when a file does not parse. */
export function readImports(root: string): { imports: Import[]; files: string[] } {
  const exported = workspaceExports(root)
  const files = sources
    .flatMap(pattern => globSync(pattern, { cwd: root }))
    .filter(file => !skipped.test(file))
    .sort()
  const imports = files.flatMap(file => {
    const source = readFileSync(join(root, file), 'utf8')
    return specifiersOf(file, source).map(({ specifier, start, typeOnly }) => {
      const line = source.slice(0, start).split('\n').length
      const target = specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : exported.get(specifier)
      return { file, line, specifier, target, typeOnly }
    })
  })
  return { imports, files }
}

interface Found {
  readonly specifier: string
  readonly start: number
  readonly typeOnly: boolean
}

function specifiersOf(file: string, source: string): Found[] {
  const { program, module, errors } = parseSync(file, source)
  if (errors[0] !== undefined) throw new Error(`${file} does not parse: ${errors[0].message}`)
  const found: Found[] = []
  const isType = (start: number) => /^(import|export)\s+type\b/.test(source.slice(start, start + 40))

  for (const { moduleRequest, entries, start } of module.staticImports) {
    // `import type from 'x'` is a default import named "type": its entry says so.
    found.push({ specifier: moduleRequest.value, start, typeOnly: isType(start) && entries.every(e => e.isType) })
  }
  for (const { entries, start } of module.staticExports) {
    const request = entries.find(e => e.moduleRequest !== null)?.moduleRequest
    if (request)
      found.push({ specifier: request.value, start, typeOnly: isType(start) && entries.every(e => e.isType) })
  }
  const literal = (node: { type: string; value?: unknown; start: number } | undefined, typeOnly: boolean) => {
    if (node?.type === 'Literal' && typeof node.value === 'string') {
      found.push({ specifier: node.value, start: node.start, typeOnly })
    }
  }
  new Visitor({
    ImportExpression: node => literal(node.source, false),
    TSImportType: node => literal(node.source, true),
    NewExpression: node => {
      const [path, base] = node.arguments
      if (node.callee.type !== 'Identifier' || node.callee.name !== 'URL' || base?.type !== 'MemberExpression') return
      // A worker's entry, or a file that is read: only code is an import.
      if (path?.type === 'Literal' && typeof path.value === 'string' && /\.[jt]s$/.test(path.value))
        literal(path, false)
    },
  }).visit(program)
  return found
}

/** What the workspace's packages export: `@gateway/core/testing` → `core/src/testing/index.ts`. */
function workspaceExports(root: string): Map<string, string> {
  const exported = new Map<string, string>()
  for (const manifest of globSync('{core,testing,plugins/*,examples/*}/package.json', { cwd: root })) {
    const { name, exports = {} } = JSON.parse(readFileSync(join(root, manifest), 'utf8')) as {
      name: string
      exports?: Record<string, string>
    }
    for (const [key, path] of Object.entries(exports)) {
      exported.set(join(name, key), normalize(join(dirname(manifest), path)))
    }
  }
  return exported
}
