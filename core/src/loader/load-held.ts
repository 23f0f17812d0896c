import { createHook } from 'node:async_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { getCallSites } from 'node:util'
import type { Problem } from '../config/problem.ts'
import { originalPlace, type SourcePlace } from './load-problem.ts'

/** Async resources that live until somebody ends them, by their async_hooks type. */
const lasting: Readonly<Record<string, string>> = {
  Timeout: 'timer',
  TCPSERVERWRAP: 'server',
  PIPESERVERWRAP: 'server',
  UDPWRAP: 'UDP socket',
  FSEVENTWRAP: 'file watcher',
  STATWATCHER: 'file watcher',
  PROCESSWRAP: 'child process',
  WORKER: 'worker thread',
}

interface Held {
  what: string
  place: SourcePlace | undefined
}

type Listener = (...args: unknown[]) => void

/**
 * Notes what the code of one bundle opens between now and `stop()` and leaves open. A timer or listener made while a
 * config is evaluated keeps that generation's code in memory for as long as it lives, and runs beside its successors.
 * Only what has the bundle on its call stack counts: the gateway serves requests meanwhile.
 */
export function trackHeld(bundleName: string): { stop(): Promise<Problem[]> } {
  const resources = new Map<number, Held>()
  const listeners: (Held & { event: string | symbol; listener: Listener })[] = []

  const hook = createHook({
    trackPromises: false,
    init(id, type) {
      const what = lasting[type]
      if (what === undefined) return
      const place = callerIn(bundleName, type)
      if (place !== undefined) resources.set(id, { what, place: place.source })
    },
    destroy(id) {
      resources.delete(id)
    },
  })
  const onListener = (event: string | symbol, listener: Listener) => {
    const place = callerIn(bundleName, 'listener')
    if (place === undefined) return
    listeners.push({ what: `listener of process event "${String(event)}"`, place: place.source, event, listener })
  }

  hook.enable()
  process.on('newListener', onListener)
  return {
    async stop() {
      process.off('newListener', onListener)
      // Node tells of destroyed resources from a queue that it empties between two turns of the loop.
      await nextTurn()
      await nextTurn()
      hook.disable()
      const left = listeners.filter(({ event, listener }) => process.listeners(event).includes(listener))
      return [...resources.values(), ...left].map(heldProblem)
    },
  }
}

function callerIn(bundleName: string, type: string): { source: SourcePlace | undefined } | undefined {
  const sites = getCallSites(100)
  const index = sites.findIndex(site => site.scriptName === bundleName)
  const site = sites[index]
  if (site === undefined) return undefined
  // fetch, AbortSignal.timeout and their like keep short timers of their own, which hold nothing of the caller's.
  const between = sites.slice(0, index).map(({ scriptName }) => scriptName)
  if (type === 'Timeout' && between.some(name => name.startsWith('node:internal/') && !harmless.has(name)))
    return undefined
  return { source: originalPlace(bundleName, site.lineNumber, site.columnNumber) }
}

const harmless = new Set(['node:internal/timers', 'node:internal/async_hooks', 'node:internal/util'])

function heldProblem({ what, place }: Held): Problem {
  return {
    severity: 'warning',
    code: 'CONFIG_HOLDS_RESOURCE',
    message: `A ${what} made while the config was evaluated stays open: it keeps this version of the config alive after a reload`,
    hint: 'Make it in the setup of a plugin, and end it in host.defer().',
    ...place,
  }
}
