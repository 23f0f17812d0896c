import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ConfigProblems, formatPath, formatProblem, type Problem, suggest } from './problem.ts'

const unknownKey: Problem = {
  severity: 'error',
  code: 'CONFIG_UNKNOWN_KEY',
  message: 'Unknown key "servce"',
  path: ['routes', 'getUser', 'servce'],
  file: join(process.cwd(), 'conf', 'gateway.config.ts'),
  line: 12,
  column: 5,
}

describe('formatProblem', () => {
  test('writes place, severity, code, message and path', () => {
    expect(formatProblem(unknownKey)).toBe(
      'conf/gateway.config.ts:12:5 error CONFIG_UNKNOWN_KEY Unknown key "servce" (routes.getUser.servce)',
    )
  })

  test('leaves out what is not known, and gives the hint a line of its own', () => {
    const problem: Problem = { severity: 'warning', code: 'CONFIG_X', message: 'Odd', hint: 'Did you mean "even"?' }
    expect(formatProblem(problem)).toBe('warning CONFIG_X Odd\n  Did you mean "even"?')
    expect(formatProblem({ ...problem, file: '/etc/gw.ts' })).toContain('/etc/gw.ts warning')
    expect(formatProblem({ ...problem, file: '/etc/gw.ts', line: 3 })).toContain('/etc/gw.ts:3 warning')
  })

  test('an exception lists every problem', () => {
    const error = new ConfigProblems([unknownKey, { severity: 'warning', code: 'CONFIG_X', message: 'Odd' }])
    expect(error.message).toMatch(/^The config has 1 error:\nconf\/gateway.*\nwarning CONFIG_X Odd$/)
    expect(error.problems).toHaveLength(2)
  })
})

test.each([
  [['routes', 'getUser', 'jwt', 'scopes', 1], 'routes.getUser.jwt.scopes[1]'],
  [['services', 'my-api', 'targets', 0], 'services["my-api"].targets[0]'],
  [[0, 'a'], '[0].a'],
  [['größe'], 'größe'],
  [[], ''],
] as const)('formatPath %j', (path, text) => {
  expect(formatPath(path)).toBe(text)
})

test.each([
  ['servce', ['routes', 'service', 'services'], 'service'],
  ['uesrs', ['users', 'orders'], 'users'],
  ['Timeout', ['timeout'], 'timeout'],
  ['leastRequest', ['roundRobin', 'leastRequests'], 'leastRequests'],
  ['GTE', ['GET', 'PUT'], 'GET'],
  ['ab', ['c', 'cd'], undefined],
  ['cors', ['auth', 'rateLimit'], undefined],
  ['users', ['users'], undefined],
  ['x', [], undefined],
] as const)('suggest %s from %j', (word, candidates, expected) => {
  expect(suggest(word, candidates)).toBe(expected)
})
