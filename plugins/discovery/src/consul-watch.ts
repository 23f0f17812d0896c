import type { IncomingHttpHeaders } from 'node:http'
import type { ConsulOptions } from './consul-options.ts'
import { reasonOf, type Watcher } from './define-provider.ts'
import { createHttpApi, type HttpApi, readJson, within } from './http-api.ts'
import { pause } from './pause.ts'
import { repeat } from './repeat.ts'

export type Asked = Omit<ConsulOptions, 'scheme' | 'service'> & { readonly service: string }

/** Between an answer and the next question, in milliseconds: what changes all the time is not asked for all the time. */
const restMs = 100
/** Likewise where the answer had no index to wait by. */
const pollMs = 500

/**
 * Tells the instances of a service as blocking queries give them: an agent answers when something changed since the index
 * it told last, or when the wait is over. When it does not answer, or wrongly, the next agent is asked.
 */
export function watchConsul(asked: Asked, watcher: Watcher<readonly unknown[]>): () => Promise<void> {
  const stop = new AbortController()
  const { signal } = stop
  const { agents, tls, timeout } = asked
  let api: HttpApi | undefined
  let turn = 0
  let index = 0

  async function ask(succeeded: () => void): Promise<void> {
    api ??= await createHttpApi({ ...tls, key: tls?.key?.value })
    const { get } = api
    const before = index
    // Apart from others that began to wait at the same moment. Consul itself adds up to a sixteenth.
    const wait = Math.ceil(asked.wait * (0.9 + 0.1 * Math.random()))
    const url = questionOf(asked, agents[turn % agents.length] ?? '', before, wait)
    const headers = asked.token === undefined ? {} : { 'x-consul-token': asked.token.value }
    const patience = before === 0 ? timeout : Math.ceil((wait * 17) / 16) + timeout
    const answer = await within(patience, signal, async signal => {
      const { headers: told, body } = await get({ url, headers, signal })
      return { told, found: await readJson(body) }
    })
    const { told, found } = answer
    if (!Array.isArray(found)) throw new Error('what it answers is no list of instances')
    // A stale read of an agent that was just started: it does not know that there are none.
    if (found.length === 0 && told['x-consul-knownleader'] === 'false') {
      throw new Error('it knows of no leader, and of no instance')
    }
    if (signal.aborted) return
    succeeded()
    const next = indexOf(told)
    // Smaller after a restore or a change of servers: nothing would be told until the old index is reached again.
    index = next < before ? 0 : next
    watcher.found(found)
    await pause(next === 0 ? pollMs : restMs, signal)
  }

  async function askForEver(): Promise<void> {
    await repeat(signal, ask, (error, failures) => {
      const reason = `${agents[turn % agents.length]}: ${reasonOf(error)}`
      // Of another agent, or of one that was started anew, the index means nothing.
      index = 0
      turn++
      // Keys and certificates may have been replaced, too.
      void api?.close()
      api = undefined
      if (failures >= agents.length) watcher.lost(reason)
      else watcher.log.warn('a Consul agent does not answer, the next is asked', { service: asked.service, reason })
    })
    await api?.close()
  }

  const ended = askForEver()
  return () => {
    stop.abort()
    return ended
  }
}

function questionOf(asked: Asked, agent: string, index: number, wait: number): string {
  const { service, datacenter, namespace, partition, tags, filter, consistency, warning } = asked
  const url = new URL(`/v1/health/service/${encodeURIComponent(service)}`, agent)
  const ask = (name: string, value: string | undefined) => {
    if (value !== undefined) url.searchParams.append(name, value)
  }
  if (!warning) ask('passing', '1')
  if (index > 0) {
    ask('index', String(index))
    ask('wait', `${wait}ms`)
  }
  ask('dc', datacenter)
  ask('ns', namespace)
  ask('partition', partition)
  for (const tag of tags) ask('tag', tag)
  ask('filter', filter)
  if (consistency !== 'default') ask(consistency, '1')
  return url.href
}

/** 0 when there is none that could be waited by. */
function indexOf({ 'x-consul-index': field }: IncomingHttpHeaders): number {
  const index = Number(field)
  return Number.isSafeInteger(index) && index > 0 ? index : 0
}
