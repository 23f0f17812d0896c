import type { Model } from '../config/model.ts'
import { normalise } from '../config/normalise.ts'
import type { Problem } from '../config/problem.ts'
import * as core from '../index.ts'
import { loadConfigFile } from '../loader/load.ts'
import { placeProblems, sortProblems } from './problems.ts'

/** What configs and plugins get when they import the kernel: this one, never a second copy. */
export const kernel = { '@gateway/core': core }

export interface Inspection {
  /** Undefined when a problem is an error. */
  readonly model: Model | undefined
  /** With their places, in the order of these. */
  readonly problems: readonly Problem[]
}

/** Loads and checks a config and starts nothing of it. */
export async function inspectConfig(file: string): Promise<Inspection> {
  const load = await loadConfigFile(file, { kernel })
  if (!load.ok) return { model: undefined, problems: sortProblems(load.problems) }
  const { model, problems } = normalise(load.config)
  return { model, problems: sortProblems([...load.warnings, ...placeProblems(problems, file)]) }
}
