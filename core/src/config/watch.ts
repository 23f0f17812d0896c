import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import { type ContentHash, contentHash } from './load-bundle.ts'
import { entriesOf } from './watch-path.ts'

export interface WatchOptions {
  /** Quiet time after the last event before files are compared, in milliseconds; default 50. */
  debounceMs?: number
  /** How long a file may stay empty or missing before that counts as its content, in milliseconds; default 250. */
  settleMs?: number
  /** How often all files are read again whatever the events say, in milliseconds; default 15,000; 0 means never. */
  rehashMs?: number
  /** The same once the system cannot watch any more, in milliseconds; default 1,000. */
  pollMs?: number
  /** Hears once, in a sentence, that watching fell back to polling, and of other errors of the watcher. */
  onWarning?: (message: string) => void
}

export interface FileWatcher {
  /**
   * Watches exactly these files from now on, existing or missing. A file is compared with its `known` content where that
   * is given (undefined: it was missing), else with what it holds now or held when it was last compared.
   * Settles when every folder is watched.
   */
  update(files: Iterable<string>, known?: ReadonlyMap<string, ContentHash | undefined>): Promise<void>
  close(): Promise<void>
}

/** The content of a missing file. */
const missing = undefined
const emptyHash = contentHash('')

/**
 * Calls `onChange` with the files whose content is no longer what it was. It watches the folders of the files and of
 * every symlink that leads to them, never the files themselves: a watch on a file stays with the old inode when an
 * editor renames a new one over it, and with the old target when a link is pointed elsewhere.
 */
export function watchFiles(onChange: (changed: string[]) => void, options: WatchOptions = {}): FileWatcher {
  const { debounceMs = 50, settleMs = 250, rehashMs = 15_000, pollMs = 1_000, onWarning } = options
  const contents = new Map<string, ContentHash | undefined>()
  const folders = new Map<string, Folder>()
  /** Files that each directory entry leads to. */
  let filesOf = new Map<string, string[]>()
  /** Files to compare, with the time since which they have been empty or missing. */
  const pending = new Map<string, number | undefined>()
  let debounce: NodeJS.Timeout | undefined
  let rehash: NodeJS.Timeout | undefined
  let comparing: Promise<void> | undefined
  let polling = false
  let closed = false

  function touch(files: Iterable<string>, delayMs = debounceMs): void {
    for (const file of files) if (!pending.has(file)) pending.set(file, undefined)
    if (closed || pending.size === 0) return
    clearTimeout(debounce)
    debounce = setTimeout(() => {
      debounce = undefined
      comparing = (comparing ?? Promise.resolve()).then(compare)
    }, delayMs)
  }

  async function compare(): Promise<void> {
    const batch = [...pending]
    pending.clear()
    const changed: string[] = []
    const unsettled: [string, number][] = []
    const now = performance.now()
    await Promise.all(
      batch.map(async ([file, since]) => {
        const content = await read(file)
        if (!contents.has(file) || contents.get(file) === content) return
        // A save that truncates or removes first is half done here; the empty file must not be loaded.
        const half = content === missing || content === emptyHash
        if (half && now - (since ?? now) < settleMs) unsettled.push([file, since ?? now])
        else {
          contents.set(file, content)
          changed.push(file)
        }
      }),
    )
    if (closed) return
    // Whatever else a save in progress will change belongs to the same reload, so nothing is told before it is done.
    if (unsettled.length > 0) {
      for (const [file, since] of unsettled) pending.set(file, since)
    }
    follow()
    if (unsettled.length > 0) touch([], debounceMs)
    if (changed.length > 0) onChange(changed)
  }

  /** Brings the watched folders in line with where the files' paths lead now. */
  function follow(): Promise<void> {
    const wanted = new Map<string, Set<string>>()
    filesOf = new Map()
    for (const file of contents.keys()) {
      for (const { folder, name } of entriesOf(file)) {
        const names = wanted.get(folder)
        if (names === undefined) wanted.set(folder, new Set([name]))
        else names.add(name)
        const key = join(folder, name)
        const files = filesOf.get(key)
        if (files === undefined) filesOf.set(key, [file])
        else files.push(file)
      }
    }
    for (const [path, folder] of folders) {
      if (wanted.has(path)) continue
      folders.delete(path)
      folder.close().catch(report)
    }
    const ready: Promise<void>[] = []
    for (const [path, names] of wanted) {
      const folder = folders.get(path)
      if (folder !== undefined) folder.names = names
      else if (!polling) ready.push(open(path, names))
    }
    return Promise.all(ready).then(() => undefined)
  }
}
