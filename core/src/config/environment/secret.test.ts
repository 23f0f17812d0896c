import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { format, inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { makeFolder } from '../../../../test/support/folder.ts'
import { recordingLog } from '../../../../test/support/log.ts'
import { createGateway } from '../../gateway.ts'
import { ConfigProblems } from '../problem.ts'
import { Secret, secret } from './secret.ts'
import { lookAgain, secretLogs } from './secret-file.ts'

let folder: string
let file: string
const log = recordingLog()

beforeEach(() => {
  folder = makeFolder()
  file = join(folder, 'token')
  secretLogs.add(log)
})
afterEach(() => {
  secretLogs.delete(log)
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

/** A new file at the path, by rename. */
function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}

/** The value after another look. */
function now(of: Secret): string {
  lookAgain()
  return of.value
}

test('its value is read, and never shows', () => {
  vi.stubEnv('TOKEN', 's3cret')
  const token = secret('TOKEN')
  expect(token.value).toBe('s3cret')
  const shown = [
    String(token),
    `${token}`,
    `Bearer ${token}`,
    JSON.stringify({ token }),
    inspect(token),
    inspect({ deep: { a: [token] } }, { depth: 9, showHidden: true }),
    format('%s %o %j', token, token, token),
    JSON.stringify({ ...token }),
    JSON.stringify(Object.entries(token)),
  ]
  for (const text of shown) expect(text).not.toContain('s3cret')
  expect(shown.slice(0, 5)).toEqual([
    '[secret TOKEN]',
    '[secret TOKEN]',
    'Bearer [secret TOKEN]',
    '{"token":"[secret TOKEN]"}',
    '[secret TOKEN]',
  ])
})

test('a source of one’s own is asked at each use', () => {
  let count = 0
  const own = new Secret('vault', () => String(++count))
  expect([own.value, own.value, String(own)]).toEqual(['1', '2', '[secret vault]'])
})

test.each([
  ['CONFIG_ENV_MISSING the environment variable NOT_THERE is not set', () => secret('NOT_THERE')],
  ['CONFIG_SECRET_FILE cannot read the secret file /not/there: there is no such file', () => secret.file('/not/there')],
  ['cannot read the secret file /: it is not a file', () => secret.file('/')],
  ['cannot read the secret file /dev/null: it is not a file', () => secret.file('/dev/null')],
])('%s', (text, get) => {
  expect(get).toThrow(ConfigProblems)
  expect(get).toThrow(text)
})

describe('a file', () => {
  test('without the newline at its end, and not empty', () => {
    writeFileSync(file, ' two\nlines \r\n')
    expect(secret.file(file).value).toBe(' two\nlines ')
    writeFileSync(file, '\n')
    expect(() => secret.file(file)).toThrow(`cannot read the secret file ${file}: it is empty`)
  })

  test('is looked at once a second, when it is asked for', () => {
    const clock = vi.spyOn(performance, 'now').mockReturnValue(10_000)
    writeFileSync(file, 'one')
    const token = secret.file(file)
    replace(file, 'another')
    clock.mockReturnValue(10_999)
    expect(token.value).toBe('one')
    clock.mockReturnValue(11_000)
    expect(token.value).toBe('another')
    replace(file, 'third')
    clock.mockReturnValue(11_999)
    expect(token.value).toBe('another')
    clock.mockReturnValue(12_000)
    expect(token.value).toBe('third')
  })

  test('rotated by rename and by writing to it; the log tells of it, not what it is', () => {
    writeFileSync(file, 'one')
    const token = secret.file(file)
    const before = log.all.length
    replace(file, 'two')
    expect([now(token), now(token)]).toEqual(['two', 'two'])
    writeFileSync(file, 'three\n')
    expect(now(token)).toBe('three')
    expect(log.all.slice(before)).toEqual([
      { level: 'info', message: 'a secret was rotated', fields: { secret: file } },
      { level: 'info', message: 'a secret was rotated', fields: { secret: file } },
    ])
  })

  test('rotated as Kubernetes does it: ..data is pointed elsewhere and the old folder goes', () => {
    for (const [version, text] of ['one', 'two'].entries()) {
      mkdirSync(join(folder, `..v${version}`))
      writeFileSync(join(folder, `..v${version}`, 'key'), text)
    }
    symlinkSync('..v0', join(folder, '..data'))
    symlinkSync('..data/key', join(folder, 'key'))
    const key = secret.file(join(folder, 'key'))
    expect(key.value).toBe('one')
    symlinkSync('..v1', join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
    rmSync(join(folder, '..v0'), { recursive: true })
    expect(now(key)).toBe('two')
  })

  test('missing or empty after a while: the old value stays, with one warning until it is well again', () => {
    writeFileSync(file, 'one')
    const token = secret.file(file)
    const before = log.all.length
    const told = () => log.all.slice(before).map(({ level, fields }) => [level, fields.reason])
    rmSync(file)
    expect([now(token), now(token)]).toEqual(['one', 'one'])
    writeFileSync(file, '')
    expect(now(token)).toBe('one')
    expect(told()).toEqual([['warn', 'there is no such file']])
    replace(file, 'two')
    expect(now(token)).toBe('two')
    writeFileSync(file, '')
    expect(now(token)).toBe('two')
    expect(told()).toEqual([
      ['warn', 'there is no such file'],
      ['info', undefined],
      ['warn', 'it is empty'],
    ])
  })

  test('a gateway hears of rotations until it is closed', async () => {
    const own = recordingLog()
    const reply = { status: 200 }
    const gateway = await createGateway({ routes: { a: { match: 'GET /', reply } } }, { log: own })
    writeFileSync(file, 'one')
    const token = secret.file(file)
    replace(file, 'two')
    now(token)
    await gateway.close()
    replace(file, 'three')
    now(token)
    expect(own.all.filter(({ message }) => message === 'a secret was rotated')).toHaveLength(1)
  })
})
