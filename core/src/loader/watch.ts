import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type ContentHash, contentHash } from './load-bundle.ts'
import { type WatchedFolder, watchFolder } from './watch-folder.ts'
import { entriesOf, type WatchedEntry } from './watch-path.ts'

export interface WatchOptions {
  /** Quiet time after the last event before files are compared, in milliseconds; default 20. */
  debounceMs?: number
  /** How long a file may stay empty or missing before that counts as its content, in milliseconds; default 250. */
  settleMs?: number
  /** How often all files are read again whatever the events say, in milliseconds; default 15,000; 0 means never. */
  rehashMs?: number
  /** How often files are looked at once the system cannot watch any more, in milliseconds; default 1,000. */
  pollMs?: number
  /** Hears in a sentence that watching fell back to polling (once), and of other errors of the watcher. */
  onWarning?: (message: string) => void
}

export interface FileWatcher {
  /**
   * Watches exactly these files from now on, existing or missing. Each is compared with its `known` content where that is
   * given (undefined: it was missing), else with what it was when last compared, else with what it holds now.
   * Settles when every folder is watched.
   */
  update(files: Iterable<string>, known?: ReadonlyMap<string, ContentHash | undefined>): Promise<void>
  close(): Promise<void>
}

/** Errors that mean the system has no watches or descriptors left; they come once for each path. */
const exhausted = new Set(['ENOSPC', 'EMFILE', 'ENFILE'])
const emptyHash = contentHash('')

/**
 * Calls `onChange` with the files whose content is no longer what it was: once for a burst of
 * saves, never for a touch. It watches the folders of the files and of every symlink that leads to them, never the files
 * themselves: a watch on a file stays with the old inode when an editor renames a new one over it, and with the old
 * target when a link is pointed elsewhere.
 */
export function watchFiles(onChange: (changed: string[]) => void, options: WatchOptions = {}): FileWatcher {
  const { debounceMs = 20, settleMs = 250, rehashMs = 15_000, pollMs = 1_000, onWarning } = options
  /** Watched files with the directory entries that they depend on. */
  const tracked = new Map<string, WatchedEntry[]>()
  const contents = new Map<string, ContentHash | undefined>()
  const folders = new Map<string, WatchedFolder>()
  /** Watched files by the path of a directory entry that they depend on. */
  let dependants = new Map<string, string[]>()
  /** Files to compare, with the time since which they have been empty or missing. */
  const pending = new Map<string, number | undefined>()
  const stamps = new Map<string, string>()
  let debounce: NodeJS.Timeout | undefined
  let comparing = Promise.resolve()
  let polling: NodeJS.Timeout | undefined
  let closed = false
  const rehashing = rehashMs === 0 ? undefined : setInterval(() => look(tracked.keys()), rehashMs).unref()

  /** Something happened to these files: waits for quiet, then looks. */
  function touch(files: Iterable<string>): void {
    clearTimeout(debounce)
    debounce = undefined
    look(files)
  }

  /** Looks at these files with the next comparison. */
  function look(files: Iterable<string>): void {
    for (const file of files) if (!pending.has(file)) pending.set(file, undefined)
    if (closed || pending.size === 0 || debounce !== undefined) return
    debounce = setTimeout(() => {
      debounce = undefined
      comparing = comparing.then(compare).catch(warn)
    }, debounceMs)
  }

  async function compare(): Promise<void> {
    const batch = [...pending]
    pending.clear()
    const now = performance.now()
    const found = await Promise.all(batch.map(async ([file, since]) => ({ file, since, content: await hashOf(file) })))
    if (closed) return
    const changed = found.filter(({ file, content }) => contents.has(file) && contents.get(file) !== content)
    // A save that truncates or removes first is half done here; what else it changes belongs to the same reload.
    const unsettled = changed.filter(
      ({ content, since }) => (content === undefined || content === emptyHash) && now - (since ?? now) < settleMs,
    )
    if (unsettled.length > 0) {
      for (const { file, since } of changed) pending.set(file, since)
      for (const { file, since } of unsettled) pending.set(file, since ?? now)
      look([])
    } else for (const { file, content } of changed) contents.set(file, content)
    follow(batch.map(([file]) => file)).catch(warn)
    if (unsettled.length === 0 && changed.length > 0) onChange(changed.map(({ file }) => file))
  }

  /** Brings the watched folders in line with where the paths of these files lead now. */
  function follow(files: Iterable<string>): Promise<unknown> {
    for (const file of files) if (tracked.has(file)) tracked.set(file, entriesOf(file))
    const wanted = new Map<string, Set<string>>()
    dependants = new Map()
    for (const [file, entries] of tracked) {
      for (const { folder, name } of entries) {
        collect(wanted, folder, () => new Set<string>()).add(name)
        collect(dependants, join(folder, name), (): string[] => []).push(file)
      }
    }
    for (const folder of folders.values()) {
      if (wanted.has(folder.path) && folder.isCurrent()) continue
      folders.delete(folder.path)
      folder.close().catch(warn)
    }
    if (polling !== undefined) return Promise.resolve()
    for (const [path, names] of wanted) {
      const folder = folders.get(path)
      if (folder === undefined) open(path, names)
      else folder.names = names
    }
    return Promise.all([...folders.values()].map(folder => folder.ready))
  }

  function open(path: string, names: ReadonlySet<string>): void {
    const inFolder = () => [...folder.names].flatMap(name => dependants.get(join(path, name)) ?? [])
    const onEvent = (changed: string) => touch(dependants.get(changed) ?? inFolder())
    const folder = watchFolder(path, names, onEvent, onError)
    folders.set(path, folder)
    // What changed between the last look and the first event is seen by looking again.
    folder.ready.then(() => touch(inFolder())).catch(warn)
  }

  function onError(error: unknown): void {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (!exhausted.has(code)) return warn(error)
    if (polling !== undefined || closed) return
    onWarning?.(`The system cannot watch more files (${code}); looking at them every ${pollMs} ms instead`)
    polling = setInterval(() => poll().catch(warn), pollMs).unref()
    for (const folder of folders.values()) folder.close().catch(warn)
    folders.clear()
    touch(tracked.keys())
  }

  async function poll(): Promise<void> {
    await Promise.all(
      [...tracked.keys()].map(async file => {
        const stamp = await stampOf(file)
        if (stamps.get(file) === stamp) return
        stamps.set(file, stamp)
        touch([file])
      }),
    )
  }

  function warn(error: unknown): void {
    if (!closed) onWarning?.(error instanceof Error ? error.message : String(error))
  }

  return {
    async update(files, known) {
      const wanted = new Set(files)
      for (const map of [tracked, contents, stamps, pending]) {
        for (const file of map.keys()) if (!wanted.has(file)) map.delete(file)
      }
      for (const file of wanted) {
        if (!tracked.has(file)) tracked.set(file, [])
        if (known?.has(file)) contents.set(file, known.get(file))
      }
      await Promise.all(
        [...wanted].map(async file => {
          if (contents.has(file)) return
          const content = await hashOf(file)
          if (tracked.has(file) && !contents.has(file)) contents.set(file, content)
        }),
      )
      if (closed) return
      await follow(wanted)
      touch(wanted)
    },
    async close() {
      closed = true
      clearTimeout(debounce)
      clearInterval(rehashing)
      clearInterval(polling)
      await comparing
      await Promise.all([...folders.values()].map(folder => folder.close()))
      folders.clear()
    },
  }
}

function collect<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const found = map.get(key) ?? make()
  map.set(key, found)
  return found
}

/** Undefined for what is missing or cannot be read. */
async function hashOf(file: string): Promise<ContentHash | undefined> {
  try {
    return contentHash(await readFile(file))
  } catch {
    return undefined
  }
}

async function stampOf(file: string): Promise<string> {
  try {
    const { mtimeMs, ctimeMs, size, ino } = await stat(file)
    return `${mtimeMs} ${ctimeMs} ${size} ${ino}`
  } catch {
    return ''
  }
}
