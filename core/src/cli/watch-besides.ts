import type { FileWatcher } from '../loader/watch.ts'

/** A watcher that watches `besides` with whatever it is told to: files that show themselves only once a config is taken. */
export function watchBesides(
  watcher: FileWatcher,
  besides: () => readonly string[],
): FileWatcher & { renew(): Promise<void> } {
  let files: readonly string[] = []
  return {
    update(wanted, known) {
      files = [...wanted]
      return watcher.update([...files, ...besides()], known)
    },
    /** Asks `besides` again. */
    renew: () => watcher.update([...files, ...besides()]),
    close: () => watcher.close(),
  }
}
