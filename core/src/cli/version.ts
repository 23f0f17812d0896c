import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'

/** Read where it is asked for; the built package lies a folder nearer to its manifest than the sources do. */
export function version(): string {
  const manifest = findPackageJSON('..', import.meta.url)
  return manifest === undefined ? 'unknown' : String(JSON.parse(readFileSync(manifest, 'utf8')).version)
}
