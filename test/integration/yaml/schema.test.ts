import { globSync, readFileSync } from 'node:fs'
import { schema } from '@gateway/yaml'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { Problems } from '../../../plugins/yaml/src/problems.ts'
import { parseYaml } from '../../../plugins/yaml/src/read/parse.ts'
import { toData } from '../../../plugins/yaml/src/table/coerce.ts'
import { validFiles } from './valid-files.ts'

const ajv = new Ajv2020({ allErrors: true, strict: false, validateFormats: false })
let made: object
let validate: ReturnType<typeof ajv.compile>
beforeAll(async () => {
  made = await schema(process.cwd())
  validate = ajv.compile(made)
})

/** What the schema has against a text, by place and keyword. */
function told(text: string): string[] {
  // A variable stays what it is in an editor.
  const node = parseYaml('/gateway.yaml', text, { problems: new Problems(), variable: name => `\${${name}}` })
  validate(node && toData(node))
  return (validate.errors ?? []).map(({ instancePath, keyword }) => `${instancePath} ${keyword}`)
}

test('is a JSON Schema of draft 2020-12', () => {
  expect(ajv.validateSchema(made)).toBe(true)
})

test('is the one that stands beside the configs: npm run schema writes it', () => {
  expect(JSON.parse(readFileSync('configs/gateway.schema.json', 'utf8'))).toEqual(made)
})

test.each(globSync('configs/**/*.{yaml,yml}').sort())('takes %s, which names it', file => {
  const text = readFileSync(file, 'utf8')
  expect(told(text)).toEqual([])
  const up = '../'.repeat(file.split('/').length - 2)
  expect(text.split('\n')[0]).toBe(`# yaml-language-server: $schema=${up}gateway.schema.json`)
})

test('takes what the catalogue makes', () => {
  const files = validFiles({ cert: 'a.pem', key: 'b.pem', ca: 'c.pem' })
  fc.assert(
    fc.property(files, file => {
      expect(told(JSON.stringify(file))).toEqual([])
    }),
    { numRuns: 50, seed: 8 },
  )
})

describe('tells what is wrong', () => {
  const file = (rule: string, more = '') =>
    `gateway: { router: { rules: [{ path: /a, serviceName: b, ${rule} }] }${more} }`
  const rule = '/gateway/router/rules/0'
  test.each<[string, string[]]>([
    [file('timeout: 5, x-mine: 1'), []],
    [file('timout: 5'), [`${rule} additionalProperties`]],
    [file('timeout: fast'), expect.arrayContaining([`${rule}/timeout pattern`])],
    [file('timeout: -1'), []],
    [file('loadBalance: fastest'), expect.arrayContaining([`${rule}/loadBalance enum`])],
    [file('methods: GET'), [`${rule}/methods type`]],
    ['gateway: { router: { rules: [{ path: /a }] } }', [`${rule} required`]],
    [file('', ', frontend: { http: { port: 70000 } }'), ['/gateway/frontend/http/port maximum']],
    [file('', `, frontend: { http: { port: "\${PORT:-80}" } }`), []],
    [file('access: { oops: 5 }', ', plugins: ["@gateway/access"]'), expect.arrayContaining([`${rule}/access anyOf`])],
    [
      file('', ', plugins: [{ package: "@gateway/access", options: { oops: 1 } }]'),
      expect.arrayContaining(['/gateway/plugins/0/options additionalProperties']),
    ],
    [file('', ', plugins: [{ package: "@acme/own", options: { mine: 1 } }]'), []],
    ['other: {}', expect.arrayContaining([' additionalProperties'])],
  ])('%s', (text, expected) => expect(told(text)).toEqual(expected))
})
