import { describe, expect, test } from 'vitest'
import { makeFolder } from '../../../test/support/folder.ts'
import { run } from './command-line.fixture.ts'

const fine = `import { defineConfig } from '@gateway/core'
export default defineConfig({ listen: { port: 0 }, routes: { hello: { match: 'GET /hello', reply: { status: 200 } } } })
`

describe('help', () => {
  test('goes to standard output when it is asked for', async () => {
    const { code, stdout, stderr } = await run(makeFolder(), '--help')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^Usage: gateway COMMAND/)
    for (const name of ['start', 'dev', 'check', 'routes', 'print', 'explain', 'status', 'reload'])
      expect(stdout).toContain(`\n  ${name} `)
  })

  test.each(['start', 'dev', 'check', 'routes', 'print'])('of %s', async name => {
    const { code, stdout, stderr } = await run(makeFolder(), name, '--help')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(`Usage: gateway ${name} [FILE]`)
  })

  test('the version is that of the package', async () => {
    const { code, stdout } = await run(makeFolder(), '--version')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })
})

describe('wrong usage exits with 2, on standard error, with the help', () => {
  test.each([
    [[], 'a command is missing'],
    [['strat'], 'unknown command "strat": did you mean "start"?'],
    [['--versoin'], 'unknown option "--versoin": did you mean "--version"?'],
    [['start', '--prot', '80'], 'unknown option "--prot": did you mean "--port"?'],
    [['start', '-p', '80'], 'unknown option "-p"'],
    [['start', '--port'], '--port needs a value'],
    [['start', '--port', '--watch'], '--port needs a value'],
    [['start', '--port', '65536'], '--port must be a number from 0 to 65535, not "65536"'],
    [['start', '--watch=yes'], '--watch takes no value'],
    [['start', '--log-level', 'debgu'], '--log-level cannot be "debgu": did you mean "debug"?'],
    [['routes', '--running', 'a.ts'], '--running or FILE: choose one'],
    [['check', 'a.ts', 'b.ts'], 'unexpected argument "b.ts": one FILE is all that goes here'],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await run(makeFolder(), ...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/\nUsage: gateway /)
    expect(stderr.split('\n')[0]).toBe(`gateway: ${message}`)
  })
})

test.each(['start', 'dev', 'check', 'routes', 'print'])('%s without a config says so and exits with 1', async name => {
  const folder = makeFolder()
  const { code, stderr } = await run(folder, name)
  expect(code).toBe(1)
  expect(stderr).toBe(`gateway: no config in ${folder}: write a gateway.config.ts there, or name the file\n`)
})

test.each(['start', 'dev', 'routes', 'print'])(
  '%s with a file that is not there says so and exits with 1',
  async name => {
    const { code, stderr } = await run(makeFolder(), name, 'nowhere.ts')
    expect(code).toBe(1)
    expect(stderr).toMatch(/^nowhere\.ts error CONFIG_NOT_FOUND There is no such file\n/)
  },
)

test('what a config leaves open does not keep a finished command from ending', async () => {
  const folder = makeFolder({ 'gateway.config.ts': `setInterval(() => {}, 1000)\n${fine}` })
  const { code, stdout } = await run(folder, 'routes')
  expect(code).toBe(0)
  expect(stdout).toContain('/hello')
})
