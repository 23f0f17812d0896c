import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { formatScrypt, formatSha256 } from './hashes.ts'

const help = `Usage: gateway-auth-key [NAME] [options]

Makes an API key and prints it, once, with what the config has to hold for it: a hash, from which
nobody gets the key back.

Options:
  --scopes LIST   Scopes, with commas between them
  --roles LIST    Roles, likewise
  --expires TIME  When it ends: 2027-01-31T00:00:00Z
  --scrypt        A hash that is slow to guess, for a key that is short; the key begins with NAME
  --password      Reads a password from standard input and prints its hash, for a user of basic
  --help          Show this help

Exit codes: 0 fine, 2 wrong usage.
`

/** Resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    process.stdout.write(await run(argv))
    return 0
  } catch (error) {
    process.stderr.write(`gateway-auth-key: ${error instanceof Error ? error.message : error}\n\n${help}`)
    return 2
  }
}

async function run(argv: readonly string[]): Promise<string> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      scopes: { type: 'string' },
      roles: { type: 'string' },
      expires: { type: 'string' },
      scrypt: { type: 'boolean', default: false },
      password: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return help
  const [name = 'client', extra] = positionals
  if (extra !== undefined) throw new TypeError(`unexpected argument "${extra}"`)
  if (values.expires !== undefined && !/^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(values.expires)) {
    throw new TypeError('--expires needs a time such as 2027-01-31T00:00:00Z')
  }
  const details = {
    ...(values.scopes !== undefined && { scopes: values.scopes.split(',') }),
    ...(values.roles !== undefined && { roles: values.roles.split(',') }),
    ...(values.expires !== undefined && { expiresAt: values.expires }),
  }
  const entry = (hash: string) => `${JSON.stringify({ [name]: { hash, ...details } }, undefined, 2)}\n`
  if (values.password) return entry(formatScrypt(await readPassword()))
  if (values.scrypt && !/^[\w-]+$/.test(name)) throw new TypeError('NAME can hold letters, digits, - and _')
  const random = randomBytes(32).toString('base64url')
  const key = values.scrypt ? `${name}.${random}` : `gw_${random}`
  const hash = values.scrypt ? formatScrypt(key) : formatSha256(key)
  return `The key, which is shown now and never again:\n\n  ${key}\n\nIn apiKeys.keys, or in its file:\n\n${entry(hash)}`
}

async function readPassword(): Promise<string> {
  let text = ''
  for await (const chunk of process.stdin.setEncoding('utf8')) text += chunk
  const password = text.replace(/\r?\n$/, '')
  if (password === '') throw new TypeError('there is no password on standard input')
  return password
}
