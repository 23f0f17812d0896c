import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyRepository, linkModules, repository } from './copy.ts'

const run = (cwd: string, ...args: string[]) => spawnSync(process.execPath, args, { cwd, encoding: 'utf8' })

describe('what npm run build makes', () => {
  let tree: string
  let user: string

  beforeAll(() => {
    tree = copyRepository()
    const plugin = join(tree, 'plugins/built')
    mkdirSync(join(plugin, 'src'), { recursive: true })
    const manifest = { name: '@gateway/built', version: '1.0.0', type: 'module', exports: { '.': './src/index.ts' } }
    writeFileSync(join(plugin, 'package.json'), JSON.stringify({ ...manifest, scripts: {}, devDependencies: {} }))
    writeFileSync(join(plugin, 'README.md'), 'built')
    writeFileSync(join(plugin, 'src/page.html'), '<p>')
    writeFileSync(join(plugin, 'src/error.ts'), "export { GatewayError as Failure } from '@gateway/core'\n")
    writeFileSync(
      join(plugin, 'src/index.ts'),
      "export { Failure } from './error.ts'\nexport const beside = new URL('./error.ts', import.meta.url)\n",
    )
    const { status, stdout, stderr } = run(tree, '.ci/build.ts')
    expect({ status, stderr, stdout }).toMatchObject({ status: 0, stderr: '' })

    // Real folders, not links: Node strips no types under node_modules, and a link's target is not under it.
    user = mkdtempSync(join(tmpdir(), 'gateway-user-'))
    const modules = join(user, 'node_modules')
    linkModules(modules, [])
    cpSync(join(tree, 'core/dist'), join(modules, '@gateway/core'), { recursive: true })
    cpSync(join(tree, 'testing/dist'), join(modules, '@gateway/testing'), { recursive: true })
    cpSync(join(plugin, 'dist'), join(modules, '@gateway/built'), { recursive: true })
    writeFileSync(join(user, 'package.json'), '{ "type": "module" }')
  }, 60_000)

  afterAll(() => {
    rmSync(tree, { recursive: true, force: true })
    rmSync(user, { recursive: true, force: true })
  })

  test('runs from node_modules', () => {
    const script = `
      import { readFileSync } from 'node:fs'
      import { GatewayError } from '@gateway/core'
      import { beside, Failure } from '@gateway/built'
      import { testGateway } from '@gateway/testing'
      const services = { users: { targets: ['http://users.test'] } }
      const config = { services, routes: { users: { match: 'GET /users', service: 'users' } } }
      const gateway = await testGateway(config, { upstreams: { users: () => new Response('tested') } })
      const answer = await (await gateway.fetch('/users')).text()
      console.log(Failure === GatewayError, readFileSync(beside, 'utf8').length > 0, answer)`
    const { stdout, stderr } = run(user, '--input-type=module', '-e', script)
    expect({ stdout, stderr }).toEqual({ stdout: 'true true tested\n', stderr: '' })
  })

  test('has types', () => {
    writeFileSync(
      join(user, 'right.ts'),
      "import { Failure } from '@gateway/built'\nnew Failure('X', 'y').status.toFixed()\n",
    )
    writeFileSync(join(user, 'wrong.ts'), "import { Failure } from '@gateway/built'\nnew Failure('X', 'y').statsu\n")
    const options = ['--module', 'nodenext', '--types', 'node', '--noEmit', '--strict', '--pretty', 'false']
    const tsc = (file: string) => run(user, 'node_modules/.bin/tsc', ...options, file).stdout
    expect(tsc('right.ts')).toBe('')
    expect(tsc('wrong.ts')).toMatch(/^wrong\.ts\(2,\d+\): error TS\d+: Property 'statsu' does not exist[^\n]*\n$/)
  })

  test('starts as a command', () => {
    const { status, stdout } = run(user, 'node_modules/@gateway/core/bin/gateway.js', '--help')
    expect(stdout).toMatch(/gateway/)
    expect(status).toBe(0)
  })

  test('holds its licence, its readme and its other files, and no tests', () => {
    const list = run(user, '-p', `fs.globSync('node_modules/@gateway/{core,built}/**/*.*').join('\\n')`).stdout
    expect(list).toMatch(/built\/page\.html/)
    expect(list).not.toMatch(/\.test\.|[^d]\.ts$/m)
    expect(readFileSync(join(user, 'node_modules/@gateway/built/README.md'), 'utf8')).toBe('built')
    const manifest = readFileSync(join(user, 'node_modules/@gateway/built/package.json'), 'utf8')
    expect(JSON.parse(manifest)).toEqual({
      name: '@gateway/built',
      version: '1.0.0',
      type: 'module',
      exports: { '.': { types: './index.d.ts', default: './index.js' } },
    })
  })
})

test('the command tells an old Node plainly', () => {
  const old = "data:text/javascript,Object.defineProperty(process,'versions',{value:{node:'22.11.0'}})"
  const { status, stderr } = run(repository, '--import', old, 'core/bin/gateway.js')
  expect({ status, stderr }).toEqual({ status: 2, stderr: 'gateway needs Node 24 or newer; this is v22.11.0\n' })
})
