import { join } from 'node:path'
import { expect, test } from 'vitest'
import { translate } from '../src/index.ts'
import { folder, told } from './told.ts'

const gateway = (openapi: string) => `gateway:
  registry:
    static: { services: [{ name: a, instances: [{ address: 127.0.0.1, port: 3000 }] }] }
  openapi: { enabled: true, ${openapi} }
`
const document = (paths: string) => `openapi: 3.0.0\npaths:\n${paths}`
const one = 'descriptors: { specFiles: [a.yaml] }'
const both = 'defaultService: a, descriptors: { specFiles: [a.yaml, b.yaml] }'
const noRules = '2:3 error CONFIG_MISSING_KEY has no rules: list at least one under router.rules'
const twins = { 'a.yaml': document('  /a: { get: {} }\n'), 'b.yaml': document('  /a: { get: {} }\n') }

test.each<[string, string, Readonly<Record<string, string>>, readonly (string | RegExp)[]]>([
  ['one that is right', `defaultService: a, ${one}`, { 'a.yaml': document('  /a: { get: {} }\n') }, []],
  [
    'one that is not there',
    'descriptors: { specFiles: [none.yaml] }',
    {},
    [noRules, /^4:55 error CONFIG_INVALID_VALUE cannot be read: .*none.yaml: ENOENT/],
  ],
  [
    'a folder that is not there',
    'specsDirectory: ./none',
    {},
    [noRules, /^4:45 error CONFIG_INVALID_VALUE cannot be read: ENOENT/],
  ],
  ['one that is no YAML', one, { 'a.yaml': 'openapi: [' }, [noRules, /^a.yaml:1:11 error CONFIG_SYNTAX/]],
  [
    'one of version 2',
    one,
    { 'a.yaml': 'swagger: "2.0"' },
    [noRules, 'a.yaml:1:1 error CONFIG_INVALID_VALUE is no OpenAPI 3 document: it has no "openapi: 3…"'],
  ],
  [
    'one without paths',
    one,
    { 'a.yaml': 'openapi: 3.1.0' },
    [noRules, 'a.yaml:1:1 error CONFIG_MISSING_KEY has no "paths"'],
  ],
  [
    'operations without a service, with one that there is not, and with a key that is none',
    one,
    {
      'a.yaml': document(
        '  /a: { get: {} }\n  /b: { get: { x-gateway: { serviceName: b } } }\n  /c: { get: { x-gateway: { serviceName: a, timout: 1 } } }\n',
      ),
    },
    [
      /^a.yaml:3:14 error CONFIG_MISSING_KEY has no "serviceName"/,
      /^a.yaml:4:42 error CONFIG_UNKNOWN_SERVICE there is no service "b"/,
      /^a.yaml:5:45 warning CONFIG_UNKNOWN_KEY unknown key "timout"/,
    ],
  ],
  [
    'a URL',
    `specUrls: ["http://h/a.yaml"], defaultService: a, ${one}`,
    { 'a.yaml': document('  /a: { get: {} }\n') },
    ['4:39 warning CONFIG_NO_EFFECT has no effect: documents at URLs are not fetched: name files'],
  ],
  ['two that take the same', both, twins, [/^b.yaml:3:3 error CONFIG_ROUTE_CONFLICT/]],
  ['two that take the same, of which one counts', `manager: { conflictResolution: newest }, ${both}`, twins, []],
])('%s', async (_name, openapi, files, expected) => {
  expect([...(await told(gateway(openapi), { files }))].sort()).toEqual(
    expected.map(text => (typeof text === 'string' ? text : expect.stringMatching(text))),
  )
})

test('documents are among the files that are watched, and so is one that is missing', async () => {
  const files = { 'a.yaml': document('  /a: { get: {} }\n') }
  await told(gateway('descriptors: { specFiles: [a.yaml, none.yaml] }'), { files })
  const seen = new Map<string, boolean>()
  await translate(join(folder, 'gateway.yaml'), {
    names: [],
    variable: () => undefined,
    sawFile: (file, content) => void seen.set(file, content !== undefined),
  })
  expect(Object.fromEntries(seen)).toEqual({
    [join(folder, 'gateway.yaml')]: true,
    [join(folder, 'a.yaml')]: true,
    [join(folder, 'none.yaml')]: false,
  })
})
