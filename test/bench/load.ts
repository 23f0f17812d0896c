import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type LoadResult, parseH2load, parseWrk } from './measure.ts'
import { folder, loadCore, run } from './processes.ts'

export interface Load {
  /** h2load speaks HTTP/2 in TLS; the last one is websocket-load.ts. */
  readonly tool: 'wrk' | 'h2load' | 'websocket'
  readonly connections: number
  readonly path: string
  /** What wrk.lua takes; of WebSockets another path. */
  readonly args?: Readonly<Record<string, string | number>>
}

export async function runLoad(load: Load, origin: string, seconds: number): Promise<LoadResult> {
  const run = { wrk: runWrk, h2load: runH2load, websocket: runWebSocket }[load.tool]
  return run(load, origin, seconds)
}

async function runWebSocket({ connections, path, args }: Load, origin: string, seconds: number): Promise<LoadResult> {
  const url = `${origin}${args?.path ?? path}`
  const program = join(import.meta.dirname, 'websocket-load.ts')
  const { output } = await run(process.execPath, [program, url, String(connections), String(seconds)], loadCore)
  return parseWrk(output)
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

/** As many streams at once as wrk has connections, eight on each connection. */
async function runH2load({ connections, path }: Load, origin: string, seconds: number): Promise<LoadResult> {
  const log = join(folder, `h2load-${process.hrtime.bigint()}.log`)
  const settings = ['-t1', `-c${connections / 8}`, '-m8', `-D${seconds}`, `--log-file=${log}`]
  const { output } = await run('h2load', [...settings, `${origin}${path}`], loadCore)
  return parseH2load(output, readFileSync(log, 'utf8'))
}
