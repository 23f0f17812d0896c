/** Reads the YAML configs of the Go gateway. The command line loads this by itself for files that end in .yaml or .yml. */
export { type Conversion, convert } from './convert/convert.ts'
export { derivedSecret } from './derived-secret.ts'
export { keyHash } from './key-hash.ts'
export { schema } from './schema/schema.ts'
export type { Surroundings, Translation } from './translate.ts'
export { translate } from './translate-aside.ts'
