import { resolve } from 'node:path'
import { findConfigFile } from '../loader/load.ts'
import { PlainFailure } from './plain-failure.ts'

/** An option of every command that loads a config. */
export const envFileOption = {
  'env-file': { type: 'string', value: 'FILE', help: 'Environment variables from a .env file; those set already win' },
} as const

/** @throws PlainFailure */
export function configFile(given: string | undefined): string {
  const file = given === undefined ? findConfigFile(process.cwd()) : resolve(given)
  if (file !== undefined) return file
  throw new PlainFailure(`no config in ${process.cwd()}: write a gateway.config.ts there, or name the file`)
}
