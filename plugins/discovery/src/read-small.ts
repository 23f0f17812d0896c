import { readFileSync, statSync } from 'node:fs'

/** Text of a file that has to be one, since reading a FIFO would wait for ever, and of at most 1 MiB. */
export function readSmall(path: string): string {
  const stats = statSync(path)
  if (!stats.isFile()) throw new Error(`${path} is not a file`)
  if (stats.size > 1024 ** 2) throw new Error(`${path} has more than 1 MiB`)
  return readFileSync(path, 'utf8')
}
