import { parentPort, workerData } from 'node:worker_threads'
import { type Translation, translate } from './translate.ts'

/** What the thread hands over: the translation, and what it asked its surroundings for. */
export interface Aside {
  readonly translation: Translation
  readonly variables: readonly string[]
  readonly files: readonly (readonly [file: string, content: Uint8Array | undefined])[]
}

const variables = new Set<string>()
const files: [string, Uint8Array | undefined][] = []
const translation = await translate(String(workerData), {
  names: Object.keys(process.env),
  variable(name) {
    variables.add(name)
    return process.env[name] || undefined
  },
  sawFile: (file, content) => files.push([file, content]),
})
parentPort?.postMessage({ translation, variables: [...variables], files } satisfies Aside)
