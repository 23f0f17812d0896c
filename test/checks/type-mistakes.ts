/**
 * Mistakes that must not compile: `test/types/mistakes/*.ts`, each error announced by `// error: <regexp>` on its line
 * or on the line above. The expression is tried on `TS2322: <message>` with all the lines of the message joined.
 * Stronger than `@ts-expect-error`: it is the right error, on the right line, and there is no other.
 */
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'

interface Place {
  readonly file: string
  readonly line: number
  readonly text: string
}

const folder = 'test/types/mistakes'
const files = globSync(`${folder}/**/*.ts`).sort()
const expected = files.flatMap(expectationsOf)
const reported = compile()

const problems: string[] = []
const unmatched = new Set(reported)
for (const { file, line, text } of expected) {
  const there = [...unmatched].filter(d => d.file === file && d.line === line)
  const hit = there.find(d => new RegExp(text).test(d.text))
  if (hit) unmatched.delete(hit)
  else problems.push(`${file}:${line} compiles, or fails in another way; expected: ${text}`)
}
for (const { file, line, text } of unmatched) problems.push(`${file}:${line} was not expected: ${text}`)
for (const file of files) {
  if (!expected.some(e => e.file === file)) problems.push(`${file} expects no error`)
}
if (files.length === 0) problems.push(`no file in ${folder}`)
for (const problem of problems) console.error(problem)
console.log(`${expected.length} mistakes in ${files.length} files`)
process.exitCode = problems.length > 0 ? 1 : 0

function expectationsOf(file: string): Place[] {
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.flatMap((source, index) => {
    const [, before, text] = /^(.*?)\/\/ error: (.+)$/.exec(source) ?? []
    if (before === undefined || text === undefined) return []
    let at = index
    // Several comments may stand above one line.
    if (before.trim() === '') while (/^\s*\/\//.test(lines[at] ?? '')) at++
    return [{ file, line: at + 1, text: text.trim() }]
  })
}

function compile(): Place[] {
  const { stdout, status, error } = spawnSync('tsc', ['-p', folder, '--pretty', 'false'], { encoding: 'utf8' })
  if (error) throw error
  const found: { file: string; line: number; text: string }[] = []
  for (const row of stdout.split('\n')) {
    const [, file, line, text] = /^(\S+)\((\d+),\d+\): error (.+)$/.exec(row) ?? []
    const last = found.at(-1)
    if (file !== undefined && text !== undefined) found.push({ file, line: Number(line), text })
    else if (row.startsWith(' ') && last) last.text += ` ${row.trim()}`
    else if (row !== '') throw new Error(`tsc says: ${row}`)
  }
  if (status === 0 && found.length > 0) throw new Error('tsc reports errors and ends with 0')
  return found
}
