import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve, sep } from 'node:path'
import type { Problem } from '../config/problem.ts'
import { isInside, kernelRoot, realPath } from './load-resolve.ts'
import { type CheckProject, createCheckProject } from './typecheck-project.ts'

export interface TypecheckOptions {
  /** Kills the compiler; the promise then rejects with the signal's reason. */
  signal?: AbortSignal
  /**
   * Keeps TypeScript's build info in `node_modules/.cache/gateway`, so that the kernel's sources, which are part of every
   * config's graph, are not checked each time. Default true; without a node_modules nothing is kept.
   */
  incremental?: boolean
}

interface Finished {
  code: number | null
  stdout: string
  stderr: string
}

/**
 * Type-checks a config and its local files with the project's own TypeScript, or with the one installed here.
 * Type errors are problems of severity `error` under TypeScript's codes; a compiler that is missing or fails, and faults
 * in the tsconfig, are warnings, because they say nothing about the config.
 */
export async function typecheck(file: string, options: TypecheckOptions = {}): Promise<Problem[]> {
  const { signal, incremental = true } = options
  signal?.throwIfAborted()
  // TypeScript names files by their real paths.
  const config = realPath(resolve(file))
  if (!/\.[mc]?[jt]s$/.test(config)) return []
  const compiler = findCompiler(config)
  if (compiler === undefined) return [unavailable(file, 'TypeScript is not installed')]
  let project: CheckProject | undefined
  try {
    project = createCheckProject(config, incremental)
    const [command, ...rest] = compiler
    const finished = await run(command, [...rest, '-p', project.tsconfig, '--pretty', 'false'], dirname(config), signal)
    const problems = parseDiagnostics(finished.stdout, dirname(config))
    // 1 and 2 are how tsc says that it found errors.
    const crashed = finished.code === null || finished.code > 2 || (finished.code > 0 && problems.length === 0)
    if (crashed) return [unavailable(file, firstLine(finished.stderr) ?? `TypeScript ended with code ${finished.code}`)]
    return relevant(problems, config, project)
  } catch (error) {
    signal?.throwIfAborted()
    return [unavailable(file, error instanceof Error ? error.message : String(error))]
  } finally {
    project?.dispose()
  }
}

/** The command that runs TypeScript: the native compiler of version 7, or the script of an older one. */
function findCompiler(config: string): [string, ...string[]] | undefined {
  for (const from of [config, import.meta.url]) {
    const manifest = tryResolve(from, 'typescript/package.json')
    if (manifest === undefined) continue
    const platform = tryResolve(manifest, `@typescript/typescript-${process.platform}-${process.arch}/package.json`)
    const native = platform && join(dirname(platform), 'lib', 'tsc')
    if (native !== undefined && existsSync(native)) return [native]
    const script = join(dirname(manifest), 'bin', 'tsc')
    if (existsSync(script)) return [process.execPath, script]
  }
  return undefined
}

function tryResolve(from: string, specifier: string): string | undefined {
  try {
    return createRequire(from).resolve(specifier)
  } catch {
    return undefined
  }
}

function run(command: string, args: string[], cwd: string, signal: AbortSignal | undefined): Promise<Finished> {
  const { promise, resolve: finish, reject } = Promise.withResolvers<Finished>()
  const child = spawn(command, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    killSignal: 'SIGKILL',
    ...(signal === undefined ? {} : { signal }),
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', chunk => {
    stdout += chunk
  })
  child.stderr.setEncoding('utf8').on('data', chunk => {
    stderr += chunk
  })
  child.on('error', reject)
  child.on('close', code => finish({ code, stdout, stderr }))
  return promise
}

const inFile = /^(.+?)\((\d+),(\d+)\): (?:error|warning) (TS\d+): (.*)$/
const global = /^(?:error|warning) (TS\d+): (.*)$/

/** Reads what tsc prints without `--pretty`: one line a problem, and indented lines that explain it further. */
export function parseDiagnostics(output: string, folder: string): Problem[] {
  const problems: Problem[] = []
  for (const line of output.split(/\r?\n/)) {
    const [, file, row, column, code, message] = inFile.exec(line) ?? []
    const [, globalCode, globalMessage] = global.exec(line) ?? []
    const last = problems.at(-1)
    if (file !== undefined && code !== undefined && message !== undefined) {
      const place = { file: resolve(folder, file), line: Number(row), column: Number(column) }
      problems.push({ severity: 'error', code, message, ...place })
    } else if (globalCode !== undefined && globalMessage !== undefined) {
      problems.push({ severity: 'error', code: globalCode, message: globalMessage })
    } else if (last !== undefined && /^\s+\S/.test(line)) last.message += `\n${line}`
  }
  return problems
}

/** Problems of the config's own files; those of packages and of the kernel are not the config's to mend. */
function relevant(problems: Problem[], config: string, project: CheckProject): Problem[] {
  const result: Problem[] = []
  for (const { file, line, column, ...problem } of problems) {
    const isOurs = file === undefined || file === project.tsconfig
    if (isOurs) result.push({ ...problem, severity: 'warning', file: project.userTsconfig ?? config })
    else if (file === project.userTsconfig)
      result.push({ ...problem, severity: 'warning', file, ...place(line, column) })
    else if (isLocal(file, dirname(config))) result.push({ ...problem, file, ...place(line, column) })
  }
  return result
}

function place(line: number | undefined, column: number | undefined): Pick<Problem, 'line' | 'column'> {
  return { ...(line === undefined ? {} : { line }), ...(column === undefined ? {} : { column }) }
}

function isLocal(file: string, folder: string): boolean {
  if (isInside(kernelRoot, file)) return false
  return !(isInside(folder, file) ? relative(folder, file) : file).split(sep).includes('node_modules')
}

function unavailable(file: string, why: string): Problem {
  return {
    severity: 'warning',
    code: 'CONFIG_TYPECHECK_UNAVAILABLE',
    message: `The config's types were not checked: ${why}`,
    file: resolve(file),
  }
}

function firstLine(text: string): string | undefined {
  return text.split('\n').find(line => line.trim() !== '')
}
