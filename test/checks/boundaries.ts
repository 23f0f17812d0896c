/** Who may import whom. Type-only and dynamic imports count like any other. */
import { existsSync } from 'node:fs'
import { type Import, readImports } from './imports.ts'

const isTest = (file: string) => /\.(test|fixture)\.ts$|(^|\/)test\//.test(file)
/** The workspace package a file belongs to; the rest (test/, configs/, .ci/, the root's config) is the root's. */
const packageOf = (file: string) => /^(core|testing|(plugins|examples)\/[^/]+)\//.exec(file)?.[1] ?? '.'
const external = (specifier: string) => !specifier.startsWith('.') && !specifier.startsWith('@gateway/')

/** Folders of the kernel that a folder of the kernel must not look at. */
const layers: readonly { from: RegExp; not: RegExp; because: string }[] = [
  {
    from: /^core\/src\/(http1|http2|tls|routing|tunnel)\//,
    not: /^core\/src\/(generation|config|exchange)\//,
    because: 'the wire and the router, and tunnels, know nothing of config, generation or exchange',
  },
  {
    from: /^core\/src\/exchange\//,
    not: /^core\/src\/config\//,
    because: 'an exchange runs on the normalised model, it does not read config',
  },
]

/** Each returns why an import is wrong, or undefined. */
const rules: readonly ((i: Import) => string | undefined)[] = [
  function isThere({ target }) {
    if (target !== undefined && !existsSync(target)) return 'there is no such file'
  },
  function coreImportsNoPlugin({ file, specifier, target }) {
    const plugin =
      target?.startsWith('plugins/') || (specifier.startsWith('@gateway/') && !/^@gateway\/core(\/|$)/.test(specifier))
    if (packageOf(file) === 'core' && plugin) return 'core imports no plugin'
  },
  function pluginImportsByContract({ file, specifier, target }) {
    const home = packageOf(file)
    if (!home.startsWith('plugins/') || !specifier.startsWith('@gateway/')) return
    if (target !== undefined && packageOf(target) === home) return
    if (/^@gateway\/(core|testing)$/.test(specifier)) return
    if (!/^@gateway\/(?!core\/)[^/]+\/contract$/.test(specifier)) {
      return "a plugin imports @gateway/core, and of another plugin at most its '/contract'"
    }
  },
  function relativeStaysInPackage({ file, specifier, target }) {
    if (!specifier.startsWith('.') || target === undefined || packageOf(file) === packageOf(target)) return
    const allowed =
      packageOf(file) === '.'
        ? /^((test|\.ci)\/|gateway\.config\.ts$)/.test(file)
        : isTest(file) && target.startsWith('test/support/')
    if (!allowed) return 'a relative import stays inside its package'
  },
  function contractImportsNothing({ file, specifier, target, typeOnly }) {
    if (!file.startsWith('core/src/contract/')) return
    if (isTest(file) && external(specifier)) return
    if (typeOnly && specifier.startsWith('node:')) return
    if (!target?.startsWith('core/src/contract/')) return "contract imports nothing outside itself but Node's types"
  },
  function layersLookDown({ file, target = '' }) {
    return layers.find(({ from, not }) => from.test(file) && not.test(target))?.because
  },
  function cliIsTheTop({ file, target }) {
    if (!target?.startsWith('core/src/cli/')) return
    if (!file.startsWith('core/src/cli/') && !file.startsWith('core/bin/')) return 'nobody imports cli but the bin'
  },
  function loaderIsForTheCommandLine({ file, target }) {
    if (!target?.startsWith('core/src/loader/') || isTest(file)) return
    if (!/^core\/src\/(cli|loader|workers)\//.test(file)) return 'only the command line loads config files'
  },
  function workersAreForTheCommandLine({ file, target }) {
    if (!target?.startsWith('core/src/workers/') || isTest(file)) return
    if (!/^core\/src\/(cli|workers)\//.test(file)) return 'only the command line starts workers'
  },
  function testKitIsForTests({ file, target }) {
    if (/^testing\//.test(target ?? '') && !isTest(file)) return 'only tests import @gateway/testing'
  },
  function testKitIsTheTop({ file, target }) {
    if (!target?.startsWith('core/src/testing/') || file.startsWith('core/src/testing/')) return
    if (file !== 'testing/src/index.ts' && !file.startsWith('test/support/')) {
      return "nobody imports the kernel's testing/ but the package @gateway/testing, and this repository's test support"
    }
  },
]

const { imports, files } = readImports(process.cwd())
const problems = imports.flatMap(i =>
  rules.map(rule => rule(i)).flatMap(why => (why ? [`${i.file}:${i.line} imports ${i.specifier}: ${why}`] : [])),
)
// A check that looked at nothing has not passed.
if (imports.length === 0) problems.push('no import was found at all')
for (const problem of problems) console.error(problem)
console.log(`${imports.length} imports in ${files.length} files, ${problems.length} forbidden`)
process.exitCode = problems.length > 0 ? 1 : 0
