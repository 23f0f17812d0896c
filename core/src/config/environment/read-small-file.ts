import { readFileSync, statSync } from 'node:fs'

/**
 * The content of a file that a config names: a certificate, a key, a secret.
 *
 * @throws when it cannot be read, is no file or is larger than that; {@link whyUnreadable} says why in words.
 */
export function readSmallFile(file: string, maxBytes: number): Buffer {
  const stats = statSync(file)
  // Reading a FIFO or a device would wait for ever.
  if (!stats.isFile()) throw new TypeError('it is not a file')
  if (stats.size > maxBytes) throw new TypeError(`it is larger than ${maxBytes} bytes`)
  return readFileSync(file)
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'this process may not read it',
}

export function whyUnreadable(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return ('code' in error && reasons[String(error.code)]) || error.message
}
