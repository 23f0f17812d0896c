import { createHmac } from 'node:crypto'
import type { PluginText } from './peers.ts'

const secret = 'the bench signs with this and nobody else'

/** What "everything on" means, in a config's words; the access log is the kernel's own. */
const links: readonly { readonly folder: string; readonly name: string; readonly options: unknown }[] = [
  { folder: 'auth', name: 'auth', options: { jwt: { algorithms: ['HS256'], secret } } },
  { folder: 'ratelimit', name: 'rateLimit', options: { limits: [{ limit: 1_000_000_000, window: '1h' }] } },
  { folder: 'cors', name: 'cors', options: { origins: ['https://app.example'] } },
]

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
