import type { Secret } from '@gateway/core'
import type Dockerode from 'dockerode'
import type { ContainerInfo } from 'dockerode'
import { reasonOf, type Watcher } from './define-provider.ts'
import { readJsonLines } from './json-lines.ts'
import { repeat } from './repeat.ts'

export interface Engine {
  /** As Docker writes it: `unix:///…`, `tcp://…`. */
  readonly host: string
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: Secret } | undefined
  /** Milliseconds between two lists that no event asked for. */
  readonly resync: number
  /** That containers have to have: a name, or `name=value`. */
  readonly label: string
}

/** For an answer of the engine, in milliseconds. */
const answerMs = 10_000
/** Longest that an event counts for more than the list, in milliseconds: a container may refuse to end. */
const leavingMs = 15_000
/** After the last event the list is asked for once more: some are told before it knows of them. */
const afterEventMs = 250

/** Events after which another list may come. Of networks, since a container that runs may join one. */
const events = ['start', 'die', 'kill', 'pause', 'unpause', 'rename', 'destroy', 'update', 'health_status']
const networkEvents = ['connect', 'disconnect']
/** After these a container is not used, whatever the list says yet, and after those it is. */
const gone = ['die', 'pause', 'health_status: unhealthy']
const back = ['start', 'unpause', 'health_status: healthy']
/** Signals that ask a program to go on otherwise, and not to end: HUP, USR1, USR2, WINCH. */
const harmless = ['1', '10', '12', '28']

/**
 * Tells the containers that run and are not unhealthy, again whenever an event says that something changed. A container
 * that was told to end is left out at once, while it still answers what it has.
 */
export function followEngine(engine: Engine, watcher: Watcher<readonly ContainerInfo[]>): () => void {
  const stop = new AbortController()
  const { signal } = stop
  /** When events said that containers go, by id. */
  const leaving = new Map<string, number>()

  /** Until the connection is lost. */
  async function follow(succeeded: () => void): Promise<void> {
    const client = await connect(engine)
    const connection = new AbortController()
    const over = AbortSignal.any([signal, connection.signal])
    let wanted = false
    let isListing = false

    /** However many ask meanwhile, one list follows. */
    async function list(): Promise<void> {
      wanted = true
      if (isListing) return
      isListing = true
      try {
        while (wanted) {
          wanted = false
          tell(await listRunning(client, engine.label, over))
        }
      } finally {
        isListing = false
      }
    }

    const listOrEnd = () => void list().catch(error => connection.abort(error))
    leaving.clear()
    // Before the first list, so that nothing gets lost between the two.
    const told = await openEvents(client, over)
    const timer = setInterval(listOrEnd, engine.resync)
    let later: NodeJS.Timeout | undefined
    try {
      await list()
      succeeded()
      for await (const events of readJsonLines(told)) {
        for (const event of events) note(event as Event)
        listOrEnd()
        clearTimeout(later)
        later = setTimeout(listOrEnd, afterEventMs)
      }
      throw new Error('the engine ended its events')
    } catch (error) {
      throw connection.signal.reason ?? error
    } finally {
      clearInterval(timer)
      clearTimeout(later)
      connection.abort()
    }
  }

  function tell(running: readonly ContainerInfo[]): void {
    if (signal.aborted) return
    const latest = Date.now() - leavingMs
    for (const [id, at] of leaving) {
      if (at < latest || !running.some(({ Id }) => Id === id)) leaving.delete(id)
    }
    watcher.found(running.filter(({ Id }) => !leaving.has(Id)))
  }

  function note({ Action = '', Actor }: Event): void {
    const id = Actor?.ID ?? ''
    const goes = Action === 'kill' ? !harmless.includes(Actor?.Attributes?.signal ?? '') : gone.includes(Action)
    if (goes) leaving.set(id, Date.now())
    else if (back.includes(Action)) leaving.delete(id)
  }

  void repeat(signal, follow, error => watcher.lost(`${engine.host}: ${reasonOf(error).trim()}`))
  return () => stop.abort()
}

async function connect({ host, tls }: Engine): Promise<Dockerode> {
  // Only for whoever uses it, since it brings much along.
  const { default: Docker } = await import('dockerode')
  // It takes from DOCKER_HOST what is left out here.
  if (host.startsWith('unix://')) {
    return new Docker({ socketPath: host.slice('unix://'.length), host: undefined, protocol: 'http' })
  }
  const { hostname, port, protocol } = new URL(host.replace(/^tcp:/, tls === undefined ? 'http:' : 'https:'))
  const secured = protocol === 'https:'
  return new Docker({
    host: hostname,
    port: port || (secured ? 2376 : 2375),
    protocol: secured ? 'https' : 'http',
    ca: tls?.ca,
    cert: tls?.cert,
    key: tls?.key.value,
  })
}

async function listRunning(client: Dockerode, label: string, signal: AbortSignal): Promise<ContainerInfo[]> {
  const filters = { label: [label], status: ['running'], health: ['none', 'healthy'] }
  const late = AbortSignal.timeout(answerMs)
  const found: unknown = await client.listContainers({ filters, abortSignal: AbortSignal.any([signal, late]) })
  if (!Array.isArray(found)) throw new Error('what it answers is no list of containers')
  return found
}

async function openEvents(client: Dockerode, signal: AbortSignal): Promise<NodeJS.ReadableStream> {
  const opening = new AbortController()
  const late = setTimeout(() => opening.abort(new Error(`no answer within ${answerMs} ms`)), answerMs)
  try {
    return await client.getEvents({
      filters: { type: ['container', 'network'], event: [...events, ...networkEvents] },
      abortSignal: AbortSignal.any([signal, opening.signal]),
    })
  } finally {
    clearTimeout(late)
  }
}

interface Event {
  readonly Action?: string
  readonly Actor?: { readonly ID?: string; readonly Attributes?: Readonly<Record<string, string>> }
}
