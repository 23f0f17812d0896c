import { stat } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import { type Surroundings, type Translation, translate as translateHere } from './translate.ts'
import type { Aside } from './translate-thread.ts'

/** A tenth of a second of work, by which requests that are under way would wait. Bytes. */
const most = 128 * 1024

/**
 * Reads a YAML config, and writes the module that `gateway.config.ts` would be: a large file in a thread of its own, since a
 * reload must not keep requests waiting. `file` is absolute.
 *
 * @throws when the file itself cannot be read
 */
export async function translate(file: string, surroundings: Surroundings): Promise<Translation> {
  const { size } = await stat(file)
  if (size < most) return translateHere(file, surroundings)
  const { translation, variables, files } = await inThread(file)
  for (const name of variables) surroundings.variable(name)
  for (const [path, content] of files) surroundings.sawFile(path, content && Buffer.from(content))
  return translation
}

function inThread(file: string): Promise<Aside> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./translate-thread.ts', import.meta.url), {
      workerData: file,
      name: 'gateway yaml',
    })
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', code => reject(new Error(`the thread that reads ${file} ended with ${code}`)))
  })
}
