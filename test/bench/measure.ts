import { readdirSync, readFileSync } from 'node:fs'

/** Linux tells user space about processor time in hundredths of a second, on every architecture that Node runs on. */
const ticksPerSecond = 100

export interface ProcessStat {
  readonly parent: number
  /** Microseconds, user and system, of the process and of its children that have ended and been waited for. */
  readonly cpuMicros: number
}

/** Reads `/proc/PID/stat`. The name in it is the program's own choice and may hold spaces and parentheses. */
export function parseStat(text: string): ProcessStat {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const field = (number: number) => Number(fields[number - 3])
  const ticks = field(14) + field(15) + field(16) + field(17)
  return { parent: field(4), cpuMicros: (ticks * 1e6) / ticksPerSecond }
}

export interface Memory {
  /** Bytes resident now, and at most so far. */
  readonly resident: number
  readonly peak: number
}

/** Reads `/proc/PID/status`. A process that has ended but was not waited for has no memory. */
export function parseMemory(text: string): Memory {
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1024
  return { resident: field('VmRSS'), peak: field('VmHWM') }
}

/** A process and all that descend from it, itself first; empty when it is not there. */
export function treeOf(root: number): number[] {
  const childrenOf = new Map<number, number[]>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const stat = statOf(Number(entry))
    if (stat === undefined) continue
    const siblings = childrenOf.get(stat.parent)
    if (siblings === undefined) childrenOf.set(stat.parent, [Number(entry)])
    else siblings.push(Number(entry))
  }
  if (statOf(root) === undefined) return []
  const tree = [root]
  // Grows while it is walked.
  for (const pid of tree) tree.push(...(childrenOf.get(pid) ?? []))
  return tree
}

/** Microseconds that a process and all that descend from it have had of processors so far. */
export function cpuOf(root: number): number {
  return treeOf(root).reduce((sum, pid) => sum + (statOf(pid)?.cpuMicros ?? 0), 0)
}

/** Sums over the processes: pages that they share count once for each. */
export function memoryOf(root: number): Memory {
  return treeOf(root)
    .flatMap(pid => read(`/proc/${pid}/status`) ?? [])
    .map(parseMemory)
    .reduce((a, b) => ({ resident: a.resident + b.resident, peak: a.peak + b.peak }), { resident: 0, peak: 0 })
}

/** The most files that this process, and thus whatever it starts, may have open. */
export function fileLimit(): number {
  return parseFileLimit(read('/proc/self/limits') ?? '')
}

export function parseFileLimit(text: string): number {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(text)?.[1]
  return hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard ?? 1024)
}

function statOf(pid: number): ProcessStat | undefined {
  const text = read(`/proc/${pid}/stat`)
  return text === undefined ? undefined : parseStat(text)
}

/** Undefined when the process has ended in between. */
function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

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
