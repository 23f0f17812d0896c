import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as core from '@gateway/core'
import { loadConfigFile } from '../../../core/src/loader/load.ts'
import { makeFolder } from '../../support/folder.ts'
import type { LooseConfig } from '../../support/gateway.ts'

/** A config file, loaded as the command line does it. What keeps it from loading rejects, with every problem. */
export async function loadFile(file: string): Promise<LooseConfig> {
  const load = await loadConfigFile(file, { kernel: { '@gateway/core': core } })
  if (!load.ok) throw new core.ConfigProblems(load.problems)
  return load.config as LooseConfig
}

/** The same of YAML, with files beside it. */
export async function loadYaml(text: string, files: Readonly<Record<string, string>> = {}): Promise<LooseConfig> {
  const folder = makeFolder()
  const file = join(folder, 'gateway.yaml')
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  writeFileSync(file, text)
  return loadFile(file)
}

/** Its listeners, each on a free port of 127.0.0.1 whatever the file says. */
export function onFreePorts(config: LooseConfig): LooseConfig {
  const listeners: unknown[] = Array.isArray(config.listen) ? config.listen : [config.listen]
  return { ...config, listen: listeners.map(listener => ({ ...Object(listener), port: 0, host: '127.0.0.1' })) }
}
