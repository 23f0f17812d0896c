import { lstatSync, readlinkSync, type Stats } from 'node:fs'
import { dirname, isAbsolute, join, parse, resolve, sep } from 'node:path'

/** A directory entry whose change may change what a path leads to. `folder` is a real path. */
export interface WatchedEntry {
  folder: string
  name: string
}

const maxLinks = 40

/**
 * Every directory entry that a path depends on: the file itself in its real folder, each symlink on the way (a
 * Kubernetes ConfigMap swaps `..data`, a deployment its `current`), and for what is missing the entry that would have
 * to appear in the nearest folder there is.
 */
export function entriesOf(path: string): WatchedEntry[] {
  const entries: WatchedEntry[] = []
  const { root } = parse(resolve(path))
  let folder = root
  let links = 0
  const rest = split(resolve(path).slice(root.length))
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === '..') {
      folder = dirname(folder)
      continue
    }
    const full = join(folder, name)
    const stats = entryStats(full)
    const target = stats?.isSymbolicLink() ? linkTarget(full) : undefined
    if (stats === undefined || stats.isSymbolicLink() || rest.length === 0) entries.push({ folder, name })
    if (stats === undefined) break
    if (target === undefined) {
      folder = full
      continue
    }
    links += 1
    if (links > maxLinks) break
    rest.unshift(...split(target))
    if (isAbsolute(target)) folder = root
  }
  return entries
}

function split(path: string): string[] {
  return path.split(sep).filter(part => part !== '' && part !== '.')
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}

function entryStats(path: string): Stats | undefined {
  try {
    return lstatSync(path)
  } catch {
    return undefined
  }
}
