import { writeFileSync } from 'node:fs'
import { convert, translate } from '@gateway/yaml'
import fc, { type IAsyncProperty } from 'fast-check'
import { normalise } from '../../../core/src/config/normalise.ts'
import { formatProblem } from '../../../core/src/config/problem.ts'
import { serialiseModel } from '../../../core/src/control/serialise-model.ts'
import { surroundings } from './read-model.ts'
import { type CertificateFiles, validFiles } from './valid-files.ts'

/** How many files there were, and how many of them the gateway refused. */
export interface Tally {
  files: number
  refused: number
}

/** Files made of the catalogue, written to `file` one after the other: each comes to the same model as what it is converted to. */
export function generatedConfigs(
  file: string,
  certificates: CertificateFiles,
  tally: Tally,
): IAsyncProperty<[unknown]> {
  return fc.asyncProperty(validFiles(certificates), async config => {
    tally.files += 1
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(config, undefined, 2))
    const { module, problems } = await translate(file, surroundings())
    const read = module === undefined ? { errors: problems } : await modelOf(module.code)
    const nowhere = problems.find(({ line, column }) => line === undefined || column === undefined)
    if (nowhere !== undefined) throw new Error(`without a place: ${formatProblem(nowhere)}`)
    if (read.errors.length > 0 || problems.some(({ severity }) => severity === 'error')) {
      tally.refused += 1
      return
    }
    const { code = '' } = await convert(file, surroundings())
    const converted = await modelOf(code)
    const [before, after] = [read, converted].map(model => JSON.stringify(model, undefined, 2))
    if (before !== after) throw new Error(`not the same as before:\n${code}\n${firstDifference(before, after)}`)
  })
}

/** What a module of this form comes to, without the loader: the packages that it imports are loaded once. */
async function modelOf(code: string) {
  const names: string[] = []
  const values: unknown[] = []
  for (const [, list = '', specifier = ''] of code.matchAll(/^import \{ (.*) \} from '(.*)'$/gm)) {
    const exports = await import(specifier)
    for (const name of list.split(', ')) {
      const [exported = '', local = exported] = name.split(' as ')
      names.push(local)
      values.push(exports[exported])
    }
  }
  const body = code.replaceAll(/^import .*$/gm, '').replace('export default', 'return')
  const { model, problems } = normalise(new Function(...names, body)(...values))
  return { model: model && (await serialiseModel(model, 'salt')), errors: problems.filter(p => p.severity === 'error') }
}

function firstDifference(before = '', after = ''): string {
  const others = after.split('\n')
  return (
    before.split('\n').flatMap((line, index) => (line === others[index] ? [] : [`- ${line}\n+ ${others[index]}`]))[0] ??
    ''
  )
}
