import { parseEnv } from 'node:util'
import { readSmallFile } from '../config/environment/read-small-file.ts'
import { type ContentHash, contentHash } from './load-bundle.ts'

const maxBytes = 1024 ** 2

/** What the file read last put into the environment. */
let applied = new Map<string, string>()

/**
 * Puts the variables of a `.env` file into the environment of this process, as `node --env-file` does: one that was there
 * before wins. Those that an earlier reading put there are replaced, or go.
 *
 * @throws when the file cannot be read; the environment is then as it was
 */
export function applyEnvFile(file: string): ContentHash {
  const content = readSmallFile(file, maxBytes)
  for (const [name, value] of applied) if (process.env[name] === value) delete process.env[name]
  applied = new Map()
  for (const [name, value] of Object.entries(parseEnv(content.toString()))) {
    // What is there with the same value came from this file: Node itself looks for --env-file among our arguments.
    const held = process.env[name]
    if (value === undefined || (held !== undefined && held !== value)) continue
    process.env[name] = value
    applied.set(name, value)
  }
  return contentHash(content)
}
