import { expect, test } from 'vitest'
import { file, told } from './told.ts'

test.each<[string, string, readonly (string | RegExp)[]]>([
  ['nothing, where it is off', '{ strategy: path }', []],
  [
    'no strategy',
    '{ enabled: true, defaultVersion: 1 }',
    ['10:15 error CONFIG_MISSING_KEY is enabled and has no "strategy"'],
  ],
  [
    'no default',
    '{ enabled: true, strategy: path }',
    ['10:15 error CONFIG_MISSING_KEY is enabled and has no "defaultVersion"'],
  ],
  [
    'a strategy that there is not',
    '{ enabled: true, strategy: host, defaultVersion: 1 }',
    [/^10:42 error CONFIG_INVALID_VALUE must be one of path, header, query, accept/, /has no "strategy"/],
  ],
  [
    'a service that there is not',
    '{ enabled: true, strategy: path, defaultVersion: 1, versionMappings: { 2: { service: b } } }',
    ['10:100 error CONFIG_UNKNOWN_SERVICE there is no service "b"'],
  ],
  [
    'a date that is none',
    '{ enabled: true, strategy: path, defaultVersion: 1, deprecatedVersions: { 1: { sunsetDate: soon } } }',
    ['10:106 error CONFIG_INVALID_VALUE must be a date such as 2027-01-31T00:00:00Z'],
  ],
  [
    'a pattern without a group',
    '{ enabled: true, strategy: accept, defaultVersion: 1, acceptPattern: "v(?:1)", versionMappings: { 2: {} } }',
    ['10:84 error CONFIG_INVALID_VALUE needs a group, in brackets, for the version'],
  ],
  [
    'a pattern that is none',
    '{ enabled: true, strategy: accept, defaultVersion: 1, acceptPattern: "(a)[" }',
    [/^10:84 error CONFIG_INVALID_VALUE Invalid regular expression/],
  ],
])('%s', async (_name, versioning, expected) => {
  const problems = await told(file({ gateway: `  versioning: ${versioning}\n` }))
  expect(problems).toEqual(expected.map(text => (typeof text === 'string' ? text : expect.stringMatching(text))))
})
