import type { Contender, LoadCase } from './cases.ts'
import { type Load, runLoad } from './load.ts'
import { cpuOf, type LoadResult, type Memory, memoryOf } from './measure.ts'
import { negotiated, type RunningProxy, startProxy, tryOnce } from './proxies.ts'
import { latency, megabytes, type Row, rounded, type Table } from './report.ts'
import type { Upstreams } from './upstreams.ts'

export interface Pace {
  readonly rounds: number
  /** Of each round. */
  readonly seconds: number
  readonly warmUpSeconds: number
}

interface Sample extends LoadResult {
  readonly cpuMicros: number
  /** Of bodies, in the case's direction. */
  readonly bodyBytes: number
}

interface Entrant {
  readonly contender: Contender
  readonly samples: Sample[]
  proxy: RunningProxy | undefined
  memory: Memory | undefined
  failure: string | undefined
}

const names = {
  request: 'CPU µs/request',
  message: 'CPU µs/message',
  download: 'MB per CPU s',
  upload: 'MB per CPU s',
  throughput: 'requests/s',
}

const speeds = {
  request: names.throughput,
  message: 'messages/s',
  download: 'MB/s',
  upload: 'MB/s',
  throughput: names.request,
}

/**
 * All contenders run at once and are driven in turn, round by round, so that what disturbs the machine disturbs them
 * alike. Every second round goes the other way round.
 */
export async function runLoadCase(
  given: LoadCase,
  contenders: readonly Contender[],
  upstreams: Upstreams,
  pace: Pace,
): Promise<Table> {
  const entrants = contenders.map(
    (contender): Entrant => ({ contender, samples: [], proxy: undefined, memory: undefined, failure: undefined }),
  )
  try {
    for (const entrant of entrants) {
      await attempt(entrant, async () => {
        const proxy = await startProxy(entrant.contender, upstreams[given.upstream], 1_000)
        entrant.proxy = proxy
        const load = loadOf(given, entrant.contender)
        await prove(load, proxy)
        await runLoad(load, proxy.origin, pace.warmUpSeconds)
      })
    }
    for (let round = 0; round < pace.rounds; round++) {
      for (const entrant of round % 2 === 0 ? entrants : entrants.toReversed()) {
        const { proxy } = entrant
        if (proxy === undefined) continue
        await attempt(entrant, async () => {
          entrant.samples.push(await sample(given, entrant.contender, proxy, upstreams, pace.seconds))
          entrant.memory = memoryOf(proxy.pid)
        })
      }
    }
  } finally {
    await Promise.all(entrants.map(({ proxy }) => proxy?.stop()))
  }
  const { figure } = given
  const speed = speeds[figure]
  const headings = [speed, 'p50', 'p99', 'resident', 'peak']
  return { figure: names[figure], headings, rows: entrants.map(entrant => rowOf(figure, entrant)) }
}

/** What goes wrong with one contender is its row, and the others go on. */
async function attempt(entrant: Entrant, task: () => Promise<void>): Promise<void> {
  if (entrant.failure !== undefined) return
  try {
    await task()
  } catch (error) {
    entrant.failure = error instanceof Error ? error.message : String(error)
  }
}

function loadOf({ load }: LoadCase, { args }: Contender): Load {
  return { ...load, args: { ...load.args, ...args } }
}

/** Throws when a contender does not do what is to be measured. */
async function prove({ tool, path, args = {} }: Load, { origin }: RunningProxy): Promise<void> {
  // Its load fails by itself.
  if (tool === 'websocket') return
  const protocol = tool === 'h2load' ? await negotiated(origin) : undefined
  if (protocol !== undefined && protocol !== 'h2') throw new Error('it does not speak HTTP/2')
  const { method = 'GET', body = 0, token, routes } = args
  const url = `${origin}${routes === undefined ? path : '/api/v1/res0000/18254'}`
  const complaint = await tryOnce(url, String(method), Buffer.alloc(Number(body)), token?.toString())
  if (complaint !== undefined) throw new Error(complaint)
}

async function sample(
  given: LoadCase,
  contender: Contender,
  { pid, origin }: RunningProxy,
  upstreams: Upstreams,
  seconds: number,
): Promise<Sample> {
  const before = { cpu: cpuOf(pid), sunk: await sunkBytes(given, upstreams) }
  const result = await runLoad(loadOf(given, contender), origin, seconds)
  const cpuMicros = cpuOf(pid) - before.cpu
  const bodyBytes = given.figure === 'upload' ? (await sunkBytes(given, upstreams)) - before.sunk : result.bytes
  return { ...result, cpuMicros, bodyBytes }
}

/** What has reached the upstream, also of requests that have not ended: a hundred megabytes take their time. */
async function sunkBytes({ figure }: LoadCase, { sink }: Upstreams): Promise<number> {
  if (figure !== 'upload') return 0
  return Number(await (await fetch(`http://127.0.0.1:${sink}/count`)).text())
}

function rowOf(figure: LoadCase['figure'], { contender: { label }, samples, memory, failure }: Entrant): Row {
  const total = (field: keyof Sample) => samples.reduce((sum, sample) => sum + sample[field], 0)
  const requests = total('requests')
  if (failure !== undefined || memory === undefined || requests === 0) {
    return {
      label,
      figure: undefined,
      cells: [],
      errors: failure?.replaceAll(/\s+/g, ' ') ?? 'no request was answered',
    }
  }
  const perRequest = total('cpuMicros') / requests
  const perSecond = requests / total('seconds')
  // Bytes per microsecond are megabytes per second.
  const bytesPerMicro = total('bodyBytes') / total('cpuMicros')
  const compared = {
    request: perRequest,
    message: perRequest,
    download: bytesPerMicro,
    upload: bytesPerMicro,
    throughput: perSecond,
  }
  const bytesPerSecond = total('bodyBytes') / total('seconds')
  const speed = isOfBodies(figure)
    ? rounded(bytesPerSecond / 1e6)
    : rounded(figure === 'throughput' ? perRequest : perSecond)
  const cells = [
    speed,
    latency(total('p50') / samples.length),
    latency(Math.max(...samples.map(({ p99 }) => p99))),
    megabytes(memory.resident),
    megabytes(memory.peak),
  ]
  const errors = [
    ...(total('badStatus') > 0 ? [`${total('badStatus')} answers of 400 and above`] : []),
    ...(total('socketErrors') > 0 ? [`${total('socketErrors')} socket errors`] : []),
  ]
  return { label, figure: compared[figure], cells, errors: errors.join(', ') }
}

const isOfBodies = (figure: LoadCase['figure']): boolean => figure === 'download' || figure === 'upload'
