import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { duration, type TargetSpec, targetSpec } from '@gateway/core'
import { parse } from 'yaml'
import * as z from 'zod'
import { defineProvider, reasonOf, type Watcher } from './define-provider.ts'
import { pause } from './pause.ts'

const maxBytes = 1024 ** 2
/** A file that changed is read once it has been left alone for so long, in milliseconds. */
const settleMs = 20

const list = z.array(targetSpec())
const content = z.union([list, z.record(z.string(), list)], {
  error: 'must be a list of targets, or an object with such a list for each service',
})
type Content = z.output<typeof content>

const options = z.strictObject({
  /** From the current folder. */
  path: z.string().min(1),
  /** Whose list to take, where the file has several. */
  service: z.string().min(1).optional(),
  interval: duration({ min: '10ms', max: '1h' }).prefault('500ms'),
})

/** Targets from a file of YAML or JSON. */
export const file = defineProvider({
  name: 'file',
  options,
  asked: ({ path, interval }) => ({ path: resolve(path), interval }),
  open: follow,
  targets(found: Content, { service, path }, name): readonly TargetSpec[] {
    if (Array.isArray(found)) return found
    const targets = found[service ?? name]
    if (targets === undefined) throw new Error(`${path} has no list for "${service ?? name}"`)
    return targets
  },
})

/**
 * Looks at the file again and again, rather than have it watched: a look sees whatever was renamed or linked into its
 * place, also further up, as Kubernetes does it, and a burst of writes is one change.
 */
function follow({ path, interval }: { path: string; interval: number }, watcher: Watcher<Content>): () => void {
  const stop = new AbortController()
  const { signal } = stop
  let stamp = ''

  async function look(): Promise<void> {
    try {
      const next = await stampOf(path)
      if (next === stamp) return
      await sleep(settleMs, undefined, { signal, ref: false })
      if ((await stampOf(path)) !== next) return look()
      tell(await readFile(path, 'utf8'))
      stamp = next
    } catch (error) {
      stamp = ''
      if (!signal.aborted) watcher.lost(`${path}: ${reasonOf(error)}`)
    }
  }

  function tell(text: string): void {
    if (signal.aborted) return
    try {
      watcher.found(read(text))
    } catch (error) {
      watcher.lost(`${path}: ${reasonOf(error)}`)
    }
  }

  async function lookAgain(): Promise<void> {
    while (!signal.aborted) {
      await look()
      await pause(interval, signal)
    }
  }

  void lookAgain()
  return () => stop.abort()
}

async function stampOf(path: string): Promise<string> {
  const stats = await stat(path, { bigint: true })
  // Reading a FIFO or a device would wait for ever.
  if (!stats.isFile()) throw new Error('it is not a file')
  if (stats.size > maxBytes) throw new Error(`it has more than ${maxBytes} bytes`)
  return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(' ')
}

function read(text: string): Content {
  // JSON is YAML.
  const result = content.safeParse(parse(text))
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new Error([...(issue?.path ?? []), issue?.message].join(' '))
}
