/**
 * Reads vitest's JSON report: names on stderr what was skipped, and writes "passed failed" to stdout. In CI a skipped
 * test has failed, and so has a file that did not load.
 */
import { readFileSync } from 'node:fs'

interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[]
  }[]
}

const [path = ''] = process.argv.slice(2)
const { testResults } = JSON.parse(readFileSync(path, 'utf8')) as Report
let passed = 0
let failed = 0
for (const { name, status, assertionResults } of testResults) {
  for (const test of assertionResults) {
    if (test.status === 'passed') passed++
    else failed++
    if (test.status !== 'passed' && test.status !== 'failed') console.error(`${test.status}: ${name}: ${test.fullName}`)
  }
  const loaded = assertionResults.length > 0
  const blamed = assertionResults.some(test => test.status !== 'passed')
  if (!loaded || (status === 'failed' && !blamed)) failed++
}
console.log(`${passed} ${failed}`)
