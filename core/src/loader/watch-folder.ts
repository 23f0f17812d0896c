import { statSync } from 'node:fs'
import { basename } from 'node:path'
import { watch } from 'chokidar'

/** One watched folder, and the names in it that matter. */
export interface WatchedFolder {
  readonly path: string
  names: ReadonlySet<string>
  /** Settles once changes are seen, or when the folder cannot be watched. */
  readonly ready: Promise<void>
  /** False once another folder stands at this path: the watch stayed with the old one. */
  isCurrent(): boolean
  close(): Promise<void>
}

/** Watches a folder itself, not what lies deeper. `onEvent` gets the path of what changed: an entry, or the folder. */
export function watchFolder(
  path: string,
  names: ReadonlySet<string>,
  onEvent: (path: string) => void,
  onError: (error: unknown) => void,
): WatchedFolder {
  const watcher = watch(path, {
    depth: 0,
    ignoreInitial: true,
    followSymlinks: false,
    // Debouncing is the caller's; chokidar's would also hide names that look like an editor's temporary files.
    atomic: false,
    ignored: candidate => candidate !== path && !folder.names.has(basename(candidate)),
  })
  const inode = inodeOf(path)
  const ready = Promise.withResolvers<void>()
  watcher.on('all', (_event, changed) => onEvent(changed))
  watcher.on('ready', () => ready.resolve())
  watcher.on('error', error => {
    ready.resolve()
    onError(error)
  })
  const folder: WatchedFolder = {
    path,
    names,
    ready: ready.promise,
    isCurrent: () => inodeOf(path) === inode,
    close: () => {
      ready.resolve()
      return watcher.close()
    },
  }
  return folder
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino
}
