/**
 * `npm run check [name…]`: everything that can be said about the sources without running them. All checks run, two at a
 * time, and all failures are shown. `planted.test.ts` proves of each that it can fail.
 */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { delimiter, dirname, resolve } from 'node:path'

interface Check {
  readonly name: string
  readonly command: readonly [string, ...string[]]
}

const node = (script: string): [string, ...string[]] => [process.execPath, `${import.meta.dirname}/${script}`]

const checks: readonly Check[] = [
  { name: 'types', command: ['tsc', '-p', '.', '--pretty', 'false'] },
  { name: 'mistakes', command: node('type-mistakes.ts') },
  { name: 'lint', command: ['biome', 'check', '--error-on-warnings', '--max-diagnostics=200', '.'] },
  { name: 'boundaries', command: node('boundaries.ts') },
  { name: 'circles', command: node('circles.ts') },
  { name: 'unused', command: ['knip', '--no-progress'] },
  { name: 'size', command: node('size.ts') },
  { name: 'licences', command: node('licences.ts') },
]

const wanted = process.argv.slice(2)
const unknown = wanted.filter(name => !checks.some(check => check.name === name))
if (unknown.length > 0) throw new Error(`no check named ${unknown}; there are ${checks.map(c => c.name)}`)

const queue = checks.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
const failures: string[] = []
await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, work))
for (const failure of failures) console.log(`\n${failure}`)
process.exitCode = failures.length > 0 ? 1 : 0

async function work(): Promise<void> {
  for (let check = queue.shift(); check; check = queue.shift()) {
    const started = performance.now()
    const { ok, output } = await run(check)
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    console.log(`${ok ? 'ok  ' : 'FAIL'} ${check.name.padEnd(12)} ${seconds} s`)
    if (!ok) failures.push(`--- ${check.name}: ${check.command.join(' ')}\n${output.trim()}`)
  }
}

function run({ command: [program, ...args] }: Check): Promise<{ ok: boolean; output: string }> {
  // The tools are scripts for the `node` they find, which must be this one and not an older one of the system.
  const path = [dirname(process.execPath), resolve('node_modules/.bin'), process.env.PATH].join(delimiter)
  const child = spawn(program, args, { env: { ...process.env, PATH: path }, stdio: ['ignore', 'pipe', 'pipe'] })
  return new Promise(done => {
    let output = ''
    child.stdout.on('data', chunk => (output += chunk))
    child.stderr.on('data', chunk => (output += chunk))
    child.on('error', error => done({ ok: false, output: String(error) }))
    child.on('close', code => done({ ok: code === 0, output }))
  })
}
