export interface ReloadQueue<Result> {
  /**
   * Asks for a run; while one is under way, for exactly one more after it, whatever the number of requests. Resolves with
   * what came of the run that heard of this request, and of which a newer one did not make another; undefined when the
   * queue was stopped before.
   */
  request(changed: readonly string[]): Promise<Result | undefined>
  /** Runs nothing any more, and resolves once the run under way has ended. */
  stop(): Promise<void>
}

/**
 * Runs one reload at a time. `run` hears of all files that changed since it last began; its signal is aborted when it
 * has been overtaken by a newer request, or by `stop()`, and it may then give up and resolve with undefined. It must not
 * reject.
 */
export function createReloadQueue<Result>(
  run: (changed: readonly string[], signal: AbortSignal) => Promise<Result | undefined>,
): ReloadQueue<Result> {
  const changed = new Set<string>()
  let requested = false
  let stopped = false
  let running: Promise<void> | undefined
  let overtaken = new AbortController()
  /** Those who wait for a run that has not begun, or that gives up for a newer one. */
  let waiting: ((result: Result | undefined) => void)[] = []

  async function runAll(): Promise<void> {
    while (requested && !stopped) {
      requested = false
      overtaken = new AbortController()
      const batch = [...changed]
      const heard = waiting
      waiting = []
      changed.clear()
      const result = await run(batch, overtaken.signal)
      if (result === undefined && overtaken.signal.aborted) waiting.unshift(...heard)
      else for (const resolve of heard) resolve(result)
    }
    for (const resolve of waiting.splice(0)) resolve(undefined)
    running = undefined
  }

  return {
    request(files) {
      if (stopped) return Promise.resolve(undefined)
      for (const file of files) changed.add(file)
      requested = true
      overtaken.abort()
      const result = new Promise<Result | undefined>(resolve => waiting.push(resolve))
      running ??= runAll()
      return result
    },
    async stop() {
      stopped = true
      overtaken.abort()
      await running
    },
  }
}
