import { readFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import type { Model } from '../config/model.ts'
import type { Problem } from '../config/problem.ts'
import { lint } from '../inspect/lint.ts'
import type { LoadedConfig } from '../loader/load.ts'
import { placeProblems, sortProblems } from './problems.ts'

/** The lints of a config that was loaded from `file`, with their places, in the order of these. */
export async function lintConfig(
  file: string,
  { config, files }: Pick<LoadedConfig, 'config' | 'files'>,
  model: Model,
  signal?: AbortSignal,
): Promise<Problem[]> {
  let texts: ReadonlyMap<string, string> | undefined
  const sources = () => {
    texts ??= new Map(files.flatMap(name => textOf(name)))
    return texts
  }
  const placed: Problem[] = []
  for (const problem of await lint({ config, model, sources }, signal)) {
    placed.push(...placeProblems([problem], file))
    // To find a place is to read the file: a matter of milliseconds, and there may be many.
    await setImmediate()
    if (signal?.aborted) return []
  }
  return sortProblems(placed)
}

/** Of what people write; what is not there was looked for in vain when the config was loaded. */
function textOf(file: string): [string, string][] {
  if (!/\.(?:[mc]?[jt]s|json|ya?ml)$/.test(file)) return []
  try {
    return [[file, readFileSync(file, 'utf8')]]
  } catch {
    return []
  }
}
