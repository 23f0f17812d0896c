import { join } from 'node:path'
import { makeFolder, writeFiles } from '../../../test/support/folder.ts'
import { type Translation, translate } from '../src/index.ts'

export const folder = makeFolder()

interface Surrounding {
  readonly variables?: Readonly<Record<string, string>>
  readonly files?: Readonly<Record<string, string>>
}

/** Other files beside it are written first. */
export async function translated(text: string, { variables = {}, files = {} }: Surrounding = {}): Promise<Translation> {
  writeFiles(folder, { ...files, 'gateway.yaml': text })
  return translate(join(folder, 'gateway.yaml'), {
    names: Object.keys(variables),
    variable: name => variables[name] || undefined,
    sawFile: () => {},
  })
}

/** `line:column severity CODE message`, of another file than the first with its name before. */
export async function told(text: string, surrounding?: Surrounding): Promise<string[]> {
  const { problems } = await translated(text, surrounding)
  return problems.map(({ severity, code, message, file = '', line, column, hint }) => {
    const name = file.slice(folder.length + 1)
    const place = `${name === 'gateway.yaml' ? '' : `${name}:`}${line}:${column}`
    return `${place} ${severity} ${code} ${message}${hint === undefined ? '' : ` [${hint}]`}`
  })
}

/** A file that is right, with something in it changed or added. */
export function file({ gateway = '', rules = '', instance = '', rule = 'path: /a' } = {}): string {
  return `gateway:
  registry:
    static:
      services:
        - name: a
          instances: [{ address: 127.0.0.1, port: 3000 ${instance} }]
  router:
    rules:
      - { serviceName: a, ${rule} }
${rules}${gateway}`
}
