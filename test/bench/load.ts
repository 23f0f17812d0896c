import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { folder, loadCore, run } from './processes.ts'

/** What the load generator saw. */
export interface LoadResult {
  /** Answered. */
  readonly requests: number
  readonly seconds: number
  /** Received, heads included, also of responses that had not ended. */
  readonly bytes: number
  /** Microseconds to the end of the response. */
  readonly p50: number
  readonly p99: number
  /** Responses of 400 and above. */
  readonly badStatus: number
  readonly socketErrors: number
}

export interface Load {
  /** h2load speaks HTTP/2 in TLS. */
  readonly tool: 'wrk' | 'h2load'
  readonly connections: number
  readonly path: string
  /** What wrk.lua takes. */
  readonly args?: Readonly<Record<string, string | number>>
}

export async function runLoad(load: Load, origin: string, seconds: number): Promise<LoadResult> {
  return load.tool === 'wrk' ? runWrk(load, origin, seconds) : runH2load(load, origin, seconds)
}

async function runWrk({ connections, path, args = {} }: Load, origin: string, seconds: number): Promise<LoadResult> {
  // The timeout counts as an error whatever takes longer, and a body of 100 MB takes its time.
  const settings = [
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '--timeout',
    '60s',
    '-s',
    `${import.meta.dirname}/wrk.lua`,
  ]
  const named = Object.entries(args).map(([name, value]) => `${name}=${value}`)
  const { output } = await run('wrk', [...settings, `${origin}${path}`, '--', ...named], loadCore)
  return parseWrk(output)
}

/** Reads the line that wrk.lua prints. */
export function parseWrk(output: string): LoadResult {
  const line = /^result (.*)$/m.exec(output)?.[1]
  if (line === undefined) throw new Error(`wrk says: ${output.trim()}`)
  const values = new Map(line.split(' ').map(pair => pair.split('=') as [string, string]))
  const value = (name: string) => Number(values.get(name))
  return {
    requests: value('requests'),
    seconds: value('micros') / 1e6,
    bytes: value('bytes'),
    p50: value('p50'),
    p99: value('p99'),
    badStatus: value('status'),
    socketErrors: value('connect') + value('read') + value('write') + value('timeout'),
  }
}

/** As many streams at once as wrk has connections, eight on each connection. */
async function runH2load({ connections, path }: Load, origin: string, seconds: number): Promise<LoadResult> {
  const log = join(folder, `h2load-${process.hrtime.bigint()}.log`)
  const settings = ['-t1', `-c${connections / 8}`, '-m8', `-D${seconds}`, `--log-file=${log}`]
  const { output } = await run('h2load', [...settings, `${origin}${path}`], loadCore)
  return parseH2load(output, readFileSync(log, 'utf8'))
}

/** Reads h2load's summary, and its log for the latencies: a line a request of start, status and microseconds. */
export function parseH2load(output: string, log: string): LoadResult {
  const value = (pattern: RegExp) => Number(pattern.exec(output)?.[1] ?? Number.NaN)
  const seconds = value(/^finished in ([\d.]+)s/m)
  if (Number.isNaN(seconds)) throw new Error(`h2load says: ${output.trim()}`)
  const latencies = log
    .split('\n')
    .flatMap(line => (line === '' ? [] : Number(line.split('\t')[2])))
    .sort((a, b) => a - b)
  const percentile = (part: number) => latencies[Math.floor((latencies.length - 1) * part)] ?? Number.NaN
  return {
    requests: value(/ (\d+) done/),
    seconds,
    bytes: value(/^traffic: [^(]*\((\d+)\) total/m),
    p50: percentile(0.5),
    p99: percentile(0.99),
    badStatus: value(/ (\d+) 4xx/) + value(/ (\d+) 5xx/),
    socketErrors: value(/ (\d+) errored/) + value(/ (\d+) timeout/),
  }
}
