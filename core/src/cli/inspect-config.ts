import type { Model } from '../config/model.ts'
import { normalise } from '../config/normalise.ts'
import type { Problem } from '../config/problem.ts'
import { createGateway } from '../gateway.ts'
import * as core from '../index.ts'
import { loadConfigFile } from '../loader/load.ts'
import { silentLog } from '../log.ts'
import { lintConfig } from './lint-config.ts'
import { type Overrides, override } from './override-listener.ts'
import { placeProblems, problemsOf, sortProblems } from './problems.ts'

/** What configs and plugins get when they import the kernel: this one, never a second copy. */
export const kernel = { '@gateway/core': core }

export interface Inspection {
  /** Undefined when a problem is an error. */
  readonly model: Model | undefined
  /** Names of the environment variables that it asks for. */
  readonly variables: readonly string[]
  /** With their places, in the order of these. */
  readonly problems: readonly Problem[]
  /** The lints of the model, with their places. */
  lint(): Promise<readonly Problem[]>
  /** Sets up everything, as a start would but for listeners, takes it down again, and says what failed, with its place. */
  setUp(): Promise<readonly Problem[]>
}

/** Loads and checks a config. `overrides`: as if a gateway with these had read it. */
export async function inspectConfig(
  file: string,
  envFile: string | undefined,
  overrides: Overrides = {},
): Promise<Inspection> {
  const load = await loadConfigFile(file, { kernel, envFile })
  if (!load.ok) {
    const problems = sortProblems(placeProblems(load.problems, file))
    return { model: undefined, variables: [], problems, lint: async () => [], setUp: async () => [] }
  }
  const config = override(load.config, overrides)
  const { model, problems } = normalise(config)
  return {
    model,
    variables: [...load.variables.keys()],
    problems: sortProblems([...load.warnings, ...placeProblems(problems, file)]),
    lint: async () => (model === undefined ? [] : lintConfig(file, load, model)),
    setUp: async () => (model === undefined ? [] : setUp(config, file)),
  }
}

async function setUp(config: unknown, file: string): Promise<Problem[]> {
  try {
    const gateway = await createGateway(config, { log: silentLog })
    await gateway.close()
    return []
  } catch (error) {
    return problemsOf(error, file)
  }
}
