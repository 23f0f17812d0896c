import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { normalise } from '../../../core/src/config/normalise.ts'
import { formatProblem } from '../../../core/src/config/problem.ts'
import { serialiseModel } from '../../../core/src/control/serialise-model.ts'
import * as core from '../../../core/src/index.ts'
import { loadConfigFile } from '../../../core/src/loader/load.ts'

/** A folder of its own that has the packages of this repository, and is gone in the end. */
export function packageFolder(): { readonly folder: string; write(name: string, text: string): string } & Disposable {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'gateway-yaml-')))
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
  return {
    folder,
    write(name, text) {
      const file = join(folder, name)
      writeFileSync(file, text)
      return file
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  }
}

/** All that a config file comes to, secrets and functions included, or the errors that it is refused for. */
export async function readModel(
  file: string,
): Promise<{ readonly model?: unknown; readonly errors: readonly string[] }> {
  const load = await loadConfigFile(file, { kernel: { '@gateway/core': core } })
  const { model, problems } = load.ok ? normalise(load.config) : { model: undefined, problems: load.problems }
  const errors = problems.filter(({ severity }) => severity === 'error').map(formatProblem)
  return { ...(model === undefined ? {} : { model: await serialiseModel(model, 'one') }), errors }
}

/** What a translation is told of its surroundings: variables, and none of this machine's. */
export function surroundings(variables: Readonly<Record<string, string>> = {}) {
  return { names: Object.keys(variables), variable: (name: string) => variables[name] || undefined, sawFile() {} }
}
