import { createHmac } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { PluginText } from './peers.ts'

const secret = 'the bench signs with this and nobody else'

/** What "everything on" means, in a config's words; the access log is the kernel's own. */
const links: readonly { readonly folder: string; readonly name: string; readonly options: unknown }[] = [
  { folder: 'auth', name: 'auth', options: { jwt: { algorithms: ['HS256'], secret } } },
  { folder: 'ratelimit', name: 'rateLimit', options: { limit: 1_000_000_000, window: '1m', by: 'ip' } },
  { folder: 'cors', name: 'cors', options: { origins: ['https://app.example'] } },
  { folder: 'metrics', name: 'metrics', options: {} },
]

/** Names of the plugins that are not in this repository. */
export const missingLinks = (): string[] =>
  links
    .map(({ folder }) => folder)
    .filter(folder => !existsSync(join(import.meta.dirname, '../../plugins', folder, 'package.json')))

export const fullChain: PluginText = {
  imports: links.map(({ folder, name }) => `import { ${name} } from '@gateway/${folder}'`).join('\n'),
  list: links.map(({ name, options }) => `${name}(${JSON.stringify(options)})`).join(', '),
}

/** A JWT that outlives the bench. */
export function signToken(): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: 'bench', iat: now, exp: now + 86_400 })}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}
