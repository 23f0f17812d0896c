import { expect, test } from 'vitest'
import { file, told } from './told.ts'

test.each<[string, string, readonly (string | RegExp)[]]>([
  ['nothing, where it is off', '{ request: { /a: { headers: { modify: { A: "(" } } } } }', []],
  [
    'an expression that is none',
    '{ enabled: true, globalRequest: { headers: { modify: { A: "(" } } } }',
    [/^10:86 error CONFIG_INVALID_VALUE Invalid regular expression/],
  ],
  [
    'an operation that lacks something',
    '{ enabled: true, globalRequest: { body: { operations: [{ type: add, path: a }, { type: rename, from: a }] } } }',
    ['10:83 error CONFIG_MISSING_KEY add needs "value"', '10:107 error CONFIG_MISSING_KEY rename needs "to"'],
  ],
  [
    'a script',
    '{ enabled: true, globalRequest: { body: { operations: [{ type: filter, script: x }] } } }',
    ['10:83 warning CONFIG_UNSUPPORTED is not done: scripts in a file are not run'],
  ],
  [
    'another format',
    '{ enabled: true, globalRequest: { body: { format: xml } } }',
    ['10:78 warning CONFIG_UNSUPPORTED is not done: no bodies but those of JSON are changed'],
  ],
  [
    'the method of a response',
    '{ enabled: true, globalResponse: { conditions: [{ method: GET }] } }',
    ['10:86 warning CONFIG_UNSUPPORTED is not done: of a response, header and contentType can be asked for'],
  ],
  [
    'an operation that there is not',
    '{ enabled: true, response: { /a: { body: { operations: [{ type: ad, path: a }] } } } }',
    [/^10:92 error CONFIG_INVALID_VALUE must be one of add, remove, rename, modify, filter, not "ad"/],
  ],
])('%s', async (_name, transform, expected) => {
  const problems = await told(file({ gateway: `  middleware: { transform: ${transform} }\n` }))
  expect(problems).toEqual(expected.map(text => (typeof text === 'string' ? text : expect.stringMatching(text))))
})
