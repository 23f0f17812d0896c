/**
 * `npm run bench`: this gateway beside nginx, HAProxy, Caddy and Go's ReverseProxy. Each has one core and one worker;
 * the load generator and the upstreams have another one. Trust CPU per request and the ratios: they come from one run,
 * round by round in turn. Throughput and latency are those of a load generator that shares its core.
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Case, cases, type IdleCase, type LoadCase } from './cases.ts'
import { describeRun } from './machine.ts'
import { fileLimit } from './measure.ts'
import { type PeerName, peerNames, peers } from './peers.ts'
import { isInstalled, loadCore, proxyCore, run } from './processes.ts'
import { formatTable, type Table } from './report.ts'
import { runIdleCase } from './run-idle.ts'
import { type Pace, runLoadCase } from './run-load.ts'
import { startUpstreams, type Upstreams } from './upstreams.ts'

const usage = `Usage: npm run bench -- [options]

  --case NAME   Only this one; may be given again: ${cases.map(({ name }) => name).join(', ')}
  --peer NAME   Only this one; may be given again: ${peerNames.join(', ')}
  --seconds N   For each contender of a case, in two rounds. Default 4
  --quick       One round of one second
  --write       Write test/bench/RESULTS.md
`

/** Without these there is nothing to measure with: command, Debian package. */
const tools = [
  ['wrk', 'wrk'],
  ['nginx', 'nginx-light'],
  ['taskset', 'util-linux'],
] as const

const { values: options } = parseArgs({
  options: {
    case: { type: 'string', multiple: true, default: [] },
    peer: { type: 'string', multiple: true, default: [] },
    seconds: { type: 'string', default: '4' },
    quick: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

try {
  if (options.help) process.stdout.write(usage)
  else process.exitCode = await main()
} catch (error) {
  console.error(error)
  process.exitCode = 1
}
// Whatever still runs is ended by processes.ts.
process.exit()

async function main(): Promise<number> {
  const names = chosen(
    cases.map(({ name }) => name),
    options.case,
    'case',
  )
  const wanted = chosen(peerNames, options.peer, 'peer')
  const pace = paceOf()
  if (process.platform !== 'linux') throw new Error('the bench reads /proc and pins with taskset: it needs Linux')
  const lines = [...tools, ...wanted.map(name => [peers[name].version[0], peers[name].apt] as const)]
  const absent = lines.filter(([program]) => !isInstalled(program))
  if (absent.length > 0)
    say(`Not installed: apt-get install -y ${[...new Set(absent.map(([, apt]) => apt))].join(' ')}`)
  if (tools.some(([program]) => !isInstalled(program))) return 1
  const present = wanted.filter(name => isInstalled(peers[name].version[0]))

  const head = `${await describeRun(wanted)}\n${describePace(pace)}`
  say(head)
  const upstreams = await startUpstreams()
  const sections: string[] = []
  try {
    for (const given of cases.filter(({ name }) => names.includes(name))) {
      const section = `## ${given.title}\n\n${await runCase(given, present, upstreams, pace)}`
      say(`\n${section}`)
      sections.push(section)
    }
  } finally {
    await upstreams.stop()
  }
  if (options.write) write(head, sections)
  return 0
}

/** What the case's section says below its title. */
async function runCase(given: Case, present: readonly PeerName[], upstreams: Upstreams, pace: Pace): Promise<string> {
  if (given.kind === 'program') {
    const { output } = await run(process.execPath, [join(import.meta.dirname, given.file)], given.cores ?? proxyCore)
    return `\`\`\`\n${output.trim()}\n\`\`\``
  }
  const contenders = given.contenders.filter(({ peer }) => present.includes(peer))
  if (contenders.length === 0) return 'Left out: nobody to measure.'
  const lack = contenders.some(({ peer }) => peer === 'gateway') ? given.lacks?.() : undefined
  if (lack !== undefined) return `Left out: ${lack}.`
  if (given.kind === 'load') {
    if (given.load.tool === 'h2load' && !isInstalled('h2load')) return 'Left out: apt-get install -y nghttp2-client.'
    return withNotes(given, await runLoadCase(given, contenders, upstreams, pace), given.notes)
  }
  // A stream takes a connection to the upstream as well.
  const limit = Math.floor(connectionLimit() / (given.stream === undefined ? 1 : 2))
  const lowered = `Only ${limit} connections: no process may have more than ${fileLimit()} files open.`
  const notes = limit < given.connections ? [lowered] : []
  return withNotes(given, await runIdleCase(given, contenders, upstreams, limit), notes)
}

function withNotes({ against, goals }: LoadCase | IdleCase, table: Table, notes: readonly string[] = []): string {
  return [formatTable(table, against, goals), ...notes].join('\n\n')
}

/** As root the limit can be raised; everything that is started from here inherits it. */
function connectionLimit(): number {
  const wanted = 65_536
  if (fileLimit() < wanted) spawnSync('prlimit', ['--pid', String(process.pid), `--nofile=${wanted}:${wanted}`])
  // The proxy needs one for each, and so does this process; the rest is for all else that they have open.
  return fileLimit() - 2_000
}

function chosen<T extends string>(known: readonly T[], given: readonly string[], what: string): readonly T[] {
  const unknown = given.filter(name => !known.some(other => other === name))
  if (unknown.length > 0) throw new Error(`no ${what} is named ${unknown}; there are ${known.join(', ')}`)
  return given.length === 0 ? known : known.filter(name => given.includes(name))
}

function paceOf(): Pace {
  if (options.quick) return { rounds: 1, seconds: 1, warmUpSeconds: 1 }
  const total = Number(options.seconds)
  if (!(total >= 2)) throw new Error(`--seconds takes a number from 2 on, not "${options.seconds}"`)
  // A just-in-time compiler has nearly settled after three seconds of load; after one it costs half as much again.
  return { rounds: 2, seconds: Math.round(total / 2), warmUpSeconds: 3 }
}

function describePace({ rounds, seconds, warmUpSeconds }: Pace): string {
  const shared = loadCore === proxyCore ? ' There is but one core: the load generator takes part of it.' : ''
  return `- Pace: ${rounds} x ${seconds} s after ${warmUpSeconds} s to warm up; proxy on core ${proxyCore}, load generator and upstreams on core ${loadCore}.${shared}`
}

function write(head: string, sections: readonly string[]): void {
  const partial = options.case.length + options.peer.length > 0 ? ['Not everything was run: see the command line.'] : []
  const text = [
    '# What the gateway costs beside its peers',
    `Written by \`npm run bench -- ${process.argv.slice(2).join(' ')}\`; what the columns mean stands in README.md beside this file.`,
    ...partial,
    head,
    ...sections,
  ]
  writeFileSync(join(import.meta.dirname, 'RESULTS.md'), `${text.join('\n\n')}\n`)
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
