import { resolve } from 'node:path'
import { schemaOfConfigs } from '../loader/load-translate.ts'
import { defineCommandOf } from './command.ts'
import { PlainFailure } from './plain-failure.ts'

export const schema = defineCommandOf('[FOLDER]', {
  details: `For editors, with the options of the plugins that are installed for FOLDER, which is the
current one by default. A YAML file names it in its first line:
# yaml-language-server: $schema=gateway.schema.json`,
  options: {},
  async run([folder = '.']) {
    const found = await schemaOfConfigs(resolve(folder))
    if (found === undefined) throw new PlainFailure('YAML needs the package @gateway/yaml, which is not installed')
    process.stdout.write(`${JSON.stringify(found, undefined, 2)}\n`)
    return 0
  },
})
