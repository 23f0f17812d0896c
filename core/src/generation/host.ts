import type { Counts, Host, Log } from '../contract/host.ts'
import type { ConnectionCounts } from '../group/connection-counts.ts'
import type { Generation } from './generation.ts'
import type { Platform } from './platform.ts'

/** What a plugin gets of its generation. */
export function createHost(generation: Generation, plugin: string): Host {
  const log = pluginLog(generation.log, plugin)
  const { group, platform } = generation.store
  return {
    log,
    clock: {
      now: platform.now,
      monotonic: platform.deadlines.now,
      every(ms, task) {
        let running = false
        const run = async () => {
          if (running) return
          running = true
          try {
            await task()
          } catch (error) {
            log.error('a periodic task failed', { err: error })
          } finally {
            running = false
          }
        }
        const stop = platform.every(ms, () => void run())
        generation.defer(plugin, stop)
      },
      after: runOnce(platform, log),
    },
    draining: generation.draining,
    closing: generation.store.closing.signal,
    defer: cleanup => generation.defer(plugin, cleanup),
    share: shared => generation.lease.share(shared),
    worker: { index: group.index, count: group.count },
    memory: (name, byteLength) =>
      generation.lease.share({
        name: `${plugin}.memory ${name} ${byteLength}`,
        create: () => group.memory(`${plugin} ${name}`, byteLength),
        close: () => group.letGo(`${plugin} ${name}`, byteLength),
      }),
    channel(name, onMessage) {
      const channel = group.channel(`${plugin} ${name}`, (message, from) => {
        try {
          // What a plugin of this name posted under this name, in another worker.
          onMessage(message as never, from)
        } catch (error) {
          log.error(`plugin "${plugin}" failed on a message`, { channel: name, err: error })
        }
      })
      generation.defer(plugin, () => channel.close())
      return { post: message => channel.post(message) }
    },
    counts: name =>
      generation.lease.share({
        name: `${plugin}.counts ${name}`,
        create: () => countsOn(group.counts(`${plugin} ${name}`)),
        close: counts => counts.close(),
      }),
    connections: () => generation.store.connections.counts(),
  }
}

function countsOn(counts: ConnectionCounts): Counts & { close(): void } {
  return {
    enter(limits) {
      const entered: (() => void)[] = []
      const leave = () => {
        for (const one of entered) one()
      }
      for (const [key, limit] of limits) {
        const one = counts.add(key, limit)
        if (one === undefined) {
          leave()
          return entered.length
        }
        entered.push(one)
      }
      return leave
    },
    count: key => counts.count(key),
    close: () => counts.close(),
  }
}

/** Knows nothing of the generation: state that outlives it may keep this. */
function runOnce(platform: Platform, log: Log): Host['clock']['after'] {
  return (ms, task) =>
    platform.after(ms, () => {
      try {
        task()
      } catch (error) {
        log.error('a task failed', { err: error })
      }
    })
}

function pluginLog(log: Log, plugin: string): Log {
  const write = (level: keyof Log) => (message: string, fields?: object) => log[level](message, { plugin, ...fields })
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}
