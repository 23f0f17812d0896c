import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { start } from './support.ts'

const bin = fileURLToPath(new URL('../bin/gateway-auth-key.js', import.meta.url))

async function run(args: readonly string[], input = '') {
  const child = spawn(process.execPath, [bin, ...args])
  child.stdin.end(input)
  const [out, err, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise(resolve => child.on('close', resolve)),
  ])
  return { out, err, code }
}

/** The JSON that ends what was printed. */
const entryOf = (out: string) => JSON.parse(out.slice(out.indexOf('{')))

test('the key that it prints is let in by the entry that it prints', async () => {
  const [fast, slow] = await Promise.all([
    run(['ci', '--scopes', 'read,write', '--roles', 'bot', '--expires', '2999-01-31T00:00:00Z']),
    run(['cron', '--scrypt']),
  ])
  const keys = { ...entryOf(fast.out), ...entryOf(slow.out) }
  expect(keys.ci).toMatchObject({ scopes: ['read', 'write'], roles: ['bot'], expiresAt: '2999-01-31T00:00:00Z' })
  const { ask } = await start({ apiKeys: { keys } })
  for (const { out, code } of [fast, slow]) {
    const key = /^ {2}(\S+)$/m.exec(out)?.[1] ?? ''
    expect([code, key.length > 40, await ask([`X-API-Key: ${key}`])]).toEqual([0, true, '200'])
    expect(JSON.stringify(keys)).not.toContain(key)
  }
})

test('a password is read and not shown', async () => {
  const { out, code } = await run(['alice', '--password'], 'pass word\n')
  expect([code, out.includes('pass')]).toEqual([0, false])
  const { ask } = await start({ basic: { users: entryOf(out) } })
  expect(await ask([`Authorization: Basic ${Buffer.from('alice:pass word').toString('base64')}`])).toBe('200')
})

test.each([
  [['--help'], 0, /^Usage/, /^$/],
  [['a', 'b'], 2, /^$/, /unexpected argument "b"[\s\S]+Usage/],
  [['--scope'], 2, /^$/, /Unknown option '--scope'/],
  [['--expires', 'soon'], 2, /^$/, /--expires needs a time/],
  [['a.b', '--scrypt'], 2, /^$/, /NAME can hold/],
  [['a', '--password'], 2, /^$/, /no password/],
])('%j: %i', async (args, code, out, err) => {
  expect(await run(args)).toEqual({ code, out: expect.stringMatching(out), err: expect.stringMatching(err) })
})
