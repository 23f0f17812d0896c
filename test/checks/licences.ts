/** Every dependency that comes along with a production install is under a licence that asks for no more than a notice. */
import { existsSync, readFileSync } from 'node:fs'

const allowed = new Set([
  'MIT',
  'ISC',
  '0BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'Unlicense',
])

interface Locked {
  readonly dev?: boolean
  readonly link?: boolean
  readonly optional?: boolean
}

interface Licensed {
  readonly license?: unknown
  readonly licenses?: readonly { readonly type?: unknown }[]
}

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Locked> }
const production = Object.entries(lock.packages).filter(
  ([path, entry]) => path.includes('node_modules/') && !entry.dev && !entry.link,
)
const problems: string[] = []
let seen = 0
for (const [path, { optional }] of production) {
  if (!existsSync(path)) {
    // Binaries for other machines are not installed on this one.
    if (!optional) problems.push(`${path} is not installed`)
    continue
  }
  seen++
  const { license, licenses } = JSON.parse(readFileSync(`${path}/package.json`, 'utf8')) as Licensed
  // As it was written before there were SPDX expressions; of several all have to do.
  const old = Array.isArray(licenses) && licenses.length > 0 && licenses.every(({ type }) => accepts(type))
  if (!accepts(license) && !(license === undefined && old))
    problems.push(`${path} has the licence ${JSON.stringify(license)}`)
}
if (seen === 0) problems.push('no production dependency was found')
for (const problem of problems) console.error(problem)
console.log(`${seen} production dependencies`)
process.exitCode = problems.length > 0 ? 1 : 0

/** An SPDX expression of one level: one side of OR is enough, AND needs all. */
function accepts(license: unknown): boolean {
  if (typeof license !== 'string') return false
  return license
    .replace(/^\((.*)\)$/, '$1')
    .split(' OR ')
    .some(side => side.split(' AND ').every(id => allowed.has(id)))
}
