import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { type PeerName, peers } from './peers.ts'
import { isInstalled, run } from './processes.ts'

/** Where and when the figures came about, as a Markdown list. */
export async function describeRun(names: readonly PeerName[]): Promise<string> {
  const root = import.meta.dirname
  const { output: commit } = await run('git', ['-C', root, 'describe', '--always', '--dirty', '--abbrev=12'])
  const versions = await Promise.all(
    [...names, 'wrk' as const].map(async name => `${name} ${(await version(name)) ?? 'not installed'}`),
  )
  const [first] = cpus()
  return [
    `- Date: ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC; commit ${commit.trim()}`,
    `- Machine: ${first?.model.trim()}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GB; Linux ${release()}; load ${loadavg()[0]?.toFixed(1)} before`,
    `- Versions: ${versions.join('; ')}`,
  ].join('\n')
}

async function version(name: PeerName | 'wrk'): Promise<string | undefined> {
  const [program, ...args] = name === 'wrk' ? (['wrk', '-v'] as const) : peers[name].version
  if (!isInstalled(program)) return undefined
  const { output } = await run(program, args)
  const line = output.split('\n')[0] ?? ''
  const number = /\d+\.\d+[\w.:+~-]*/.exec(line)?.[0] ?? line
  return name === 'gateway' ? `on Node ${number}` : number
}
