/**
 * `npm run build`: makes every package that can be published, in `<package>/dist`, whose `package.json` is that of the
 * source with its paths turned to what was compiled. Packages run from their sources in this repository; a packed one
 * must hold JavaScript, since Node strips no types under `node_modules`. Publish with `npm publish ./core/dist`.
 *
 * It stands beside `run`, since it makes what is released and is part of neither the product nor its tests.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly exports?: Readonly<Record<string, string>>
  readonly bin?: Readonly<Record<string, string>>
  readonly [field: string]: unknown
}

const notShipped = new Set(['devDependencies', 'scripts', 'exports', 'bin'])
const work = resolve('node_modules/.cache/gateway-build')
const packages = globSync('{core,testing,plugins/*}/package.json')
  .map(path => ({ folder: dirname(path), manifest: JSON.parse(readFileSync(path, 'utf8')) as Manifest }))
  .filter(({ manifest }) => !manifest.private)
  .sort((a, b) => a.folder.localeCompare(b.folder))

compile()
for (const { folder, manifest } of packages) {
  const dist = join(folder, 'dist')
  rmSync(dist, { recursive: true, force: true })
  mkdirSync(dist)
  const compiled = join(work, 'out', folder, 'src')
  if (existsSync(compiled)) cpSync(compiled, dist, { recursive: true })
  copyAssets(folder, dist)
  copyBins(folder, dist)
  renameModules(folder, dist)
  copyFileSync('LICENSE', join(dist, 'LICENSE'))
  const readme = [join(folder, 'README.md'), 'README.md'].find(path => existsSync(path))
  if (readme === undefined) throw new Error(`${folder} has no README.md`)
  copyFileSync(readme, join(dist, 'README.md'))
  writeFileSync(join(dist, 'package.json'), `${JSON.stringify(shipped(manifest), null, 2)}\n`)
  for (const path of entriesOf(manifest)) {
    if (!existsSync(join(dist, path))) throw new Error(`${manifest.name} says ${path}, which was not built`)
  }
  console.log(`${manifest.name} → ${dist}`)
}

/** One program for all, so that packages find each other by name, in their sources, whatever the order. */
function compile(): void {
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work, { recursive: true })
  const project = join(work, 'tsconfig.json')
  const config = {
    extends: resolve('tsconfig.json'),
    compilerOptions: {
      noEmit: false,
      noEmitOnError: true,
      declaration: true,
      rootDir: resolve('.'),
      outDir: join(work, 'out'),
    },
    include: packages.map(({ folder }) => resolve(folder, 'src/**/*.ts')),
    exclude: ['core', 'testing', 'plugins/*'].flatMap(folder =>
      ['test', 'fixture', 'vectors'].map(kind => resolve(folder, `src/**/*.${kind}.ts`)),
    ),
  }
  writeFileSync(project, JSON.stringify(config))
  const tsc = resolve('node_modules/.bin/tsc')
  const { status, error } = spawnSync(process.execPath, [tsc, '-p', project], { stdio: 'inherit' })
  if (error) throw error
  if (status !== 0) process.exit(1)
}

/** Pages, schemas and other files that the code reads beside itself. */
function copyAssets(folder: string, dist: string): void {
  for (const file of globSync('**/*.*', { cwd: join(folder, 'src') })) {
    if (file.endsWith('.ts')) continue
    mkdirSync(dirname(join(dist, file)), { recursive: true })
    copyFileSync(join(folder, 'src', file), join(dist, file))
  }
}

function copyBins(folder: string, dist: string): void {
  for (const file of globSync('bin/*.js', { cwd: folder })) {
    const source = readFileSync(join(folder, file), 'utf8')
    mkdirSync(join(dist, 'bin'), { recursive: true })
    const text = source.replaceAll(/'\.\.\/src\/([^']+)\.ts'/g, "'../$1.js'")
    writeFileSync(join(dist, file), text, { mode: 0o755 })
  }
}

/** TypeScript leaves the `.ts` in declarations and in `new URL('./worker.ts', import.meta.url)`. */
function renameModules(folder: string, dist: string): void {
  for (const file of globSync('**/*.{js,d.ts}', { cwd: dist })) {
    const path = join(dist, file)
    const source = readFileSync(path, 'utf8')
    const isModule = (name: string) => existsSync(join(folder, 'src', dirname(file), `${name}.ts`))
    const text = source.replaceAll(/(['"])(\.{1,2}\/[^'"`\n]+)\.ts\1/g, (whole, quote: string, name: string) =>
      isModule(name) ? `${quote}${name}.js${quote}` : whole,
    )
    if (text !== source) writeFileSync(path, text)
  }
}

function shipped(manifest: Manifest): Record<string, unknown> {
  const kept = Object.entries(manifest).filter(([field]) => !notShipped.has(field))
  const { exports, bin } = manifest
  return {
    ...Object.fromEntries(kept),
    ...(exports && {
      exports: mapValues(exports, path => ({ types: built(path, '.d.ts'), default: built(path, '.js') })),
    }),
    ...(bin && { bin }),
  }
}

function entriesOf({ exports = {}, bin = {} }: Manifest): string[] {
  const modules = Object.values(exports).flatMap(path => [built(path, '.d.ts'), built(path, '.js')])
  return [...modules, ...Object.values(bin)]
}

/** `./src/index.ts` → `./index.js` */
function built(path: string, ending: string): string {
  return path.replace(/^\.\/src\//, './').replace(/\.ts$/, ending)
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
}
