import { createRequire, SourceMap, type SourceMapPayload } from 'node:module'
import { dirname, extname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readVariable } from '../config/environment/readings.ts'
import type { Problem } from '../config/problem.ts'
import { contentHash, type Graph } from './load-bundle.ts'
import { type SourcePlace, thrownProblem } from './load-problem.ts'
import { kernelRoot, realPath } from './load-resolve.ts'

/** The package that reads YAML. It is not among the kernel's own, and installed by whoever has such files. */
const translator = '@gateway/yaml'

interface Surroundings {
  readonly names: Iterable<string>
  variable(name: string): string | undefined
  sawFile(file: string, content: Buffer | undefined): void
}

/** What the package gives. */
interface Translator {
  /** A config in another language as the module that `gateway.config.ts` would be. */
  translate(
    file: string,
    surroundings: Surroundings,
  ): Promise<{
    /** The map's sources are relative to the file's folder. */
    readonly module: { readonly code: string; readonly map: Payload } | undefined
    readonly problems: readonly Problem[]
  }>
  /** The same for someone to keep, in a folder. */
  convert(file: string, surroundings: Surroundings, folder: string): Promise<Conversion>
  /** A JSON Schema of the language, with the options of the plugins that are installed for a folder. */
  schema(folder: string): Promise<object>
}

export interface Conversion {
  readonly code: string | undefined
  /** What the file says and the text does not, but for a comment. */
  readonly lost: readonly Problem[]
  readonly problems: readonly Problem[]
}

type Payload = Pick<SourceMapPayload, 'version' | 'sources' | 'names' | 'mappings'>

/** A config file that was translated into a module. */
export interface Translated {
  readonly code: string
  /** Where a place in the code, 1-based, was written; undefined where nobody wrote it. */
  origin(line: number, column: number): SourcePlace | undefined
}

/** By file, what the latest load made of it: places are looked for in that. */
const latest = new Map<string, Translated>()

export function translationOf(file: string): Translated | undefined {
  return latest.get(file)
}

export function isTranslated(file: string): boolean {
  return extname(file) === '.yaml' || extname(file) === '.yml'
}

export interface Translation {
  /** Undefined for a config that is code itself. Where a problem is an error, it is only to be looked at for more. */
  readonly translated: Translated | undefined
  readonly problems: readonly Problem[]
  /** There is nothing to go on with; the problems say why. */
  readonly refused: boolean
}

/** Translates a config for its load, if it is one to translate, and notes what is read in the graph. Never rejects. */
export async function translateConfig(file: string, graph: Graph): Promise<Translation> {
  if (!isTranslated(file)) return { translated: undefined, problems: [], refused: false }
  try {
    const { translated, problems } = await translate(file, graph)
    return { translated, problems, refused: translated === undefined }
  } catch (error) {
    return { translated: undefined, problems: [thrownProblem(error, undefined, file)], refused: true }
  }
}

async function translate(file: string, graph: Graph): Promise<Pick<Translation, 'translated' | 'problems'>> {
  const found = await findTranslator(dirname(realPath(file)))
  if (found === undefined) return { translated: undefined, problems: [missing(file)] }
  const { module, problems } = await found.translate(
    file,
    surroundings((path, content) => {
      graph.watch.set(path, content && contentHash(content))
      graph.sources.add(realPath(path))
    }),
  )
  if (module === undefined) return { translated: undefined, problems }
  const folder = dirname(file)
  // Read at the first problem: that of a large file takes a while.
  let map: SourceMap | undefined
  const translated: Translated = {
    code: `${module.code}//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify(module.map)).toString('base64')}\n`,
    origin(line, column) {
      map ??= new SourceMap({ file: '', sourcesContent: [], sourceRoot: '', ...module.map })
      const origin = map.findOrigin(line, column)
      if (!('fileName' in origin)) return undefined
      return { file: resolve(folder, decodeURI(origin.fileName)), line: origin.lineNumber, column: origin.columnNumber }
    },
  }
  latest.set(file, translated)
  return { translated, problems }
}

function surroundings(sawFile: Surroundings['sawFile']): Surroundings {
  return { names: Object.keys(process.env), variable: readVariable, sawFile }
}

/** Writes a config of another language as TypeScript, for a folder. */
export async function convertConfig(file: string, folder: string): Promise<Conversion> {
  const found = await findTranslator(dirname(realPath(file)))
  if (found === undefined) return { code: undefined, lost: [], problems: [missing(file)] }
  return found.convert(
    file,
    surroundings(() => {}),
    folder,
  )
}

/** The JSON Schema of the other language; undefined where the package that reads it is not installed. */
export async function schemaOfConfigs(folder: string): Promise<object | undefined> {
  return (await findTranslator(folder))?.schema(folder)
}

/** A problem of the code, told of the place that it was made of. */
export function atOrigin(problem: Problem, file: string): Problem {
  const { line, column } = problem
  const translated = latest.get(file)
  if (translated === undefined || problem.file === undefined || line === undefined) return problem
  if (realPath(problem.file) !== realPath(file)) return problem
  return { ...problem, ...(translated.origin(line, column ?? 1) ?? { line: 1, column: 1 }) }
}

async function findTranslator(home: string): Promise<Translator | undefined> {
  for (const folder of [home, process.cwd(), kernelRoot]) {
    try {
      const path = createRequire(join(folder, '_')).resolve(translator)
      const module: unknown = await import(/* @vite-ignore */ pathToFileURL(path).href)
      if (isTranslator(module)) return module
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND')) throw error
    }
  }
  return undefined
}

function isTranslator(module: unknown): module is Translator {
  return typeof module === 'object' && module !== null && 'translate' in module
}

function missing(file: string): Problem {
  const message = `A YAML config needs the package ${translator}, which is not installed`
  const hint = `npm install ${translator}, or write it as gateway.config.ts.`
  return { severity: 'error', code: 'CONFIG_YAML_UNSUPPORTED', message, hint, file }
}
