export interface ReloadQueue {
  /** Asks for a run; while one is under way, for exactly one more after it, whatever the number of requests. */
  request(changed: readonly string[]): void
  /** Runs nothing any more, and resolves once the run under way has ended. */
  stop(): Promise<void>
}

/**
 * Runs one reload at a time. `run` hears of all files that changed since it last began; its signal is aborted when it
 * has been overtaken by a newer request, or by `stop()`. It must not reject.
 */
export function createReloadQueue(
  run: (changed: readonly string[], signal: AbortSignal) => Promise<void>,
): ReloadQueue {
  const changed = new Set<string>()
  let requested = false
  let stopped = false
  let running: Promise<void> | undefined
  let overtaken = new AbortController()

  async function runAll(): Promise<void> {
    while (requested && !stopped) {
      requested = false
      overtaken = new AbortController()
      const batch = [...changed]
      changed.clear()
      await run(batch, overtaken.signal)
    }
    running = undefined
  }

  return {
    request(files) {
      for (const file of files) changed.add(file)
      requested = true
      overtaken.abort()
      running ??= runAll()
    },
    async stop() {
      stopped = true
      overtaken.abort()
      await running
    },
  }
}
