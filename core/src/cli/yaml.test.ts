import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from '../../../test/support/folder.ts'
import { startUpstream } from '../../../test/support/upstream.ts'
import { launch, run } from './command-line.fixture.ts'

function file({ port = 3000, rule = '', path = '/a', frontend = '' } = {}): string {
  return `gateway:
  frontend: { http: { host: 127.0.0.1 }${frontend} }
  registry:
    static:
      services:
        - name: a
          instances: [{ address: 127.0.0.1, port: ${port} }]
  router:
    rules:
      - id: one
        path: ${path}
        serviceName: a
${rule}`
}

const upstream = () => startUpstream((request, response) => response.end(`got ${request.url}`))

test('start, reload, and a file that is no config keeps the old one', async () => {
  const { port } = await upstream()
  const folder = makeFolder({ 'gateway.yaml': file({ port }) })
  const save = (text: string) => writeFileSync(join(folder, 'gateway.yaml'), text)
  const gateway = launch(folder, 'start', '--port', '0', '--watch')
  const url = await gateway.url()
  const answer = async (path: string) => {
    const response = await fetch(`${url}${path}`, { headers: { connection: 'close' } })
    return response.ok ? response.text() : String(response.status)
  }
  expect(await answer('/a')).toBe('got /a')

  save(file({ port, path: '/b' }))
  await gateway.printed(/"changed":\["gateway.yaml"\],"msg":"reloaded"/)
  expect([await answer('/b'), await answer('/a')]).toEqual(['got /b', '404'])

  save(file({ port, path: '/c', rule: '        timeout: soon\n' }))
  await gateway.printed(
    /"line":13,"column":18,"msg":"gateway.yaml:13:18 error CONFIG_INVALID_VALUE must be a whole number of seconds/,
  )
  await gateway.printed(/"msg":"not reloaded, the old config goes on serving"/)
  expect(await answer('/b')).toBe('got /b')

  // A comment changes lines, and nothing else.
  save(`# a comment\n${file({ port, path: '/b' })}`)
  await gateway.printed(/"msg":"not reloaded, the config says the same"/)
  const running = `--running=${gateway.child.pid}`
  const explained = await run(folder, 'explain', 'GET', '/b', running)
  expect(explained.stdout).toMatch(/gateway\.yaml:11:9/)
  const { stdout } = await run(folder, 'plan', running)
  expect(stdout).toMatch(/nothing|no change/i)
})

test('start --strict refuses what would be a warning', async () => {
  const folder = makeFolder({ 'gateway.yaml': file({ rule: '        timeot: 1\n' }) })
  const { code, stderr } = await run(folder, 'start', '--port', '0', '--strict')
  expect([code, stderr]).toEqual([
    1,
    'gateway.yaml:13:9 error CONFIG_UNKNOWN_KEY unknown key "timeot"\n  did you mean "timeout"?\n',
  ])
})

test('check tells of every problem by line, of YAML and of plugins alike', async () => {
  const folder = makeFolder({
    // A second route of the rule says the same, and is wrong in the same place.
    'gateway.yaml': `${file({ frontend: ', sse: { enabled: true }', rule: '        timeot: 1\n        cors: { origns: 5 }\n' })}  plugins: ['@gateway/cors']\n`,
    'tab.yml': 'gateway:\n\trouter: {}\n',
  })
  const { code, stdout } = await run(folder, 'check')
  expect([code, stdout]).toEqual([
    1,
    `gateway.yaml:13:9 warning CONFIG_UNKNOWN_KEY unknown key "timeot"
  did you mean "timeout"?
gateway.yaml:14:15 error CONFIG_INVALID_VALUE must be '*' or an array of origins (routes.one.cors.origins)
gateway.yaml:14:17 error CONFIG_UNKNOWN_KEY unknown key "origns" (routes.one.cors.origns)
  did you mean "origins"?
`,
  ])
  const tab = await run(folder, 'check', 'tab.yml')
  expect(tab.stdout).toMatch(/^tab\.yml:2:1 error CONFIG_SYNTAX Tabs/)
})
