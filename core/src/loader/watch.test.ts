import { once } from 'node:events'
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeFolder } from '../../../test/support/folder.ts'
import { contentHash } from './load-bundle.ts'
import { type FileWatcher, type WatchOptions, watchFiles } from './watch.ts'
import { entriesOf } from './watch-path.ts'

let folder: string
let watchers: FileWatcher[]
let seen: Seen

/** What onChange was called with; `next()` waits for one call more. */
interface Seen {
  calls: string[][]
  next(): Promise<string[]>
}

beforeEach(() => {
  folder = makeFolder()
  watchers = []
})

afterEach(async () => {
  for (const watcher of watchers) await watcher.close()
})

const at = (name: string) => join(folder, name)

function start(options: WatchOptions = {}): FileWatcher {
  const events = new EventTarget()
  const calls: string[][] = []
  let waited = 0
  seen = {
    calls,
    async next() {
      waited += 1
      while (calls.length < waited) await once(events, 'change')
      return calls[waited - 1] ?? []
    },
  }
  const watcher = watchFiles(
    changed => {
      calls.push(changed.map(file => file.slice(folder.length + 1)).sort())
      events.dispatchEvent(new Event('change'))
    },
    // No net below the events: what a test sees, an event has told.
    { rehashMs: 0, ...options },
  )
  watchers.push(watcher)
  return watcher
}

async function watching(names: string[], options?: WatchOptions): Promise<FileWatcher> {
  const watcher = start(options)
  await watcher.update([...names, 'sentinel'].map(at))
  return watcher
}

let marks = 0

/** A change that is seen after everything before it: whatever else was to be told has been told when it arrives. */
async function sentinel(): Promise<void> {
  marks += 1
  writeFileSync(at('sentinel'), `mark ${marks}`)
  expect(await seen.next()).toEqual(['sentinel'])
}

describe('one save, one change', () => {
  test('in place', async () => {
    writeFileSync(at('a.ts'), '1')
    await watching(['a.ts'])
    writeFileSync(at('a.ts'), '2')
    expect(await seen.next()).toEqual(['a.ts'])
    await sentinel()
    writeFileSync(at('a.ts'), '3')
    expect(await seen.next()).toEqual(['a.ts'])
    await sentinel()
  })

  test('by renaming a new file over the old, again and again', async () => {
    writeFileSync(at('a.ts'), '1')
    await watching(['a.ts'])
    for (let round = 0; round < 3; round++) {
      writeFileSync(at('.a.ts.tmp'), `round ${round}`)
      renameSync(at('.a.ts.tmp'), at('a.ts'))
      expect(await seen.next()).toEqual(['a.ts'])
    }
    await sentinel()
  })

  test('by moving the old file away first', async () => {
    writeFileSync(at('a.ts'), '1')
    await watching(['a.ts'])
    renameSync(at('a.ts'), at('a.ts~'))
    writeFileSync(at('a.ts'), '2')
    unlinkSync(at('a.ts~'))
    expect(await seen.next()).toEqual(['a.ts'])
    await sentinel()
  })

  test('a burst of 50 saves over several files', async () => {
    const names = ['a.ts', 'b.ts', 'c.ts']
    for (const name of names) writeFileSync(at(name), 'old')
    await watching(names)
    for (let index = 0; index < 50; index++) writeFileSync(at(names[index % 3] ?? ''), `save ${index}`)
    expect(await seen.next()).toEqual(names)
    await sentinel()
  })

  test('that truncates first: the empty file does not count', async () => {
    writeFileSync(at('a.ts'), 'old')
    writeFileSync(at('b.ts'), 'old')
    let content: string | undefined
    const events = new EventTarget()
    const watcher = watchFiles(
      () => {
        content = readFileSync(at('a.ts'), 'utf8')
        events.dispatchEvent(new Event('change'))
      },
      // Far longer than the file stays empty below, however slow the machine is.
      { rehashMs: 0, debounceMs: 5, settleMs: 10_000 },
    )
    watchers.push(watcher)
    await watcher.update([at('a.ts'), at('b.ts')])
    truncateSync(at('a.ts'))
    // b.ts changes as well, and would be told at once if a.ts were not half saved.
    writeFileSync(at('b.ts'), 'new')
    const told = once(events, 'change')
    // Time for the mistake to happen, were it made; the test holds however short it is.
    for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setTimeout(resolve, 5))
    expect(content).toBeUndefined()
    appendFileSync(at('a.ts'), 'new')
    await told
    expect(content).toBe('new')
  })

  test('that leaves the file empty or removes it counts in the end', async () => {
    writeFileSync(at('a.ts'), 'old')
    await watching(['a.ts'], { settleMs: 20, debounceMs: 10 })
    truncateSync(at('a.ts'))
    expect(await seen.next()).toEqual(['a.ts'])
    unlinkSync(at('a.ts'))
    expect(await seen.next()).toEqual(['a.ts'])
    await sentinel()
  })
})

describe('no change', () => {
  test('for a touch, an equal save, and files that are not watched', async () => {
    writeFileSync(at('a.ts'), 'same')
    await watching(['a.ts'])
    utimesSync(at('a.ts'), new Date(), new Date())
    writeFileSync(at('a.ts'), 'same')
    writeFileSync(at('other.ts'), 'new')
    await sentinel()
  })

  test('for what is watched no longer', async () => {
    writeFileSync(at('a.ts'), '1')
    const watcher = await watching(['a.ts'])
    await watcher.update([at('sentinel')])
    writeFileSync(at('a.ts'), '2')
    await sentinel()
  })

  test('after close', async () => {
    writeFileSync(at('a.ts'), '1')
    const watcher = await watching(['a.ts'])
    writeFileSync(at('a.ts'), '2')
    await watcher.close()
    await watching(['a.ts'])
    await sentinel()
    expect(seen.calls).toHaveLength(1)
  })
})

describe('symlinks', () => {
  test("a Kubernetes ConfigMap's swap, several times", async () => {
    const version = (number: number) => {
      mkdirSync(at(`..v${number}`))
      writeFileSync(at(`..v${number}/a.ts`), `a${number}`)
      writeFileSync(at(`..v${number}/same.ts`), 'same')
      symlinkSync(`..v${number}`, at('..data_tmp'))
      renameSync(at('..data_tmp'), at('..data'))
    }
    version(1)
    for (const name of ['a.ts', 'same.ts']) symlinkSync(`..data/${name}`, at(name))
    await watching(['a.ts', 'same.ts'])
    for (let number = 2; number < 5; number++) {
      version(number)
      rmSync(at(`..v${number - 1}`), { recursive: true })
      expect(await seen.next()).toEqual(['a.ts'])
    }
    await sentinel()
  })

  test('a link pointed elsewhere, its target edited, and a linked folder', async () => {
    mkdirSync(at('r1'))
    mkdirSync(at('r2'))
    for (const name of ['r1/a.ts', 'r2/a.ts', 'x.ts', 'y.ts']) writeFileSync(at(name), name)
    symlinkSync('x.ts', at('link.ts'))
    symlinkSync('r1', at('current'))
    await watching(['link.ts', 'current/a.ts'])
    const relink = (target: string, name: string) => {
      symlinkSync(target, at('tmp'))
      renameSync(at('tmp'), at(name))
    }
    relink('y.ts', 'link.ts')
    expect(await seen.next()).toEqual(['link.ts'])
    writeFileSync(at('y.ts'), 'edited')
    expect(await seen.next()).toEqual(['link.ts'])
    relink('r2', 'current')
    expect(await seen.next()).toEqual(['current/a.ts'])
    writeFileSync(at('r2/a.ts'), 'edited')
    expect(await seen.next()).toEqual(['current/a.ts'])
    await sentinel()
  })

  test('a link that leads to itself is a missing file', () => {
    symlinkSync('loop', at('loop'))
    expect(entriesOf(at('loop')).every(entry => entry.folder === folder && entry.name === 'loop')).toBe(true)
  })
})

describe('missing files', () => {
  test('that appear, with the folders above them', async () => {
    await watching(['later.ts', 'deep/down/below.ts'])
    writeFileSync(at('later.ts'), 'here')
    expect(await seen.next()).toEqual(['later.ts'])
    mkdirSync(at('deep/down'), { recursive: true })
    writeFileSync(at('deep/down/below.ts'), 'here')
    expect(await seen.next()).toEqual(['deep/down/below.ts'])
    writeFileSync(at('deep/down/below.ts'), 'edited')
    expect(await seen.next()).toEqual(['deep/down/below.ts'])
    await sentinel()
  })

  test('a folder that is removed and comes back', async () => {
    mkdirSync(at('lib'))
    writeFileSync(at('lib/a.ts'), '1')
    await watching(['lib/a.ts'], { settleMs: 20, debounceMs: 10 })
    rmSync(at('lib'), { recursive: true })
    expect(await seen.next()).toEqual(['lib/a.ts'])
    mkdirSync(at('lib'))
    writeFileSync(at('lib/a.ts'), '2')
    expect(await seen.next()).toEqual(['lib/a.ts'])
    writeFileSync(at('lib/a.ts'), '3')
    expect(await seen.next()).toEqual(['lib/a.ts'])
  })

  test('a folder that another one replaces', async () => {
    for (const name of ['lib', 'new']) {
      mkdirSync(at(name))
      writeFileSync(at(`${name}/a.ts`), name)
    }
    await watching(['lib/a.ts'], { rehashMs: 30 })
    renameSync(at('lib'), at('old'))
    renameSync(at('new'), at('lib'))
    expect(await seen.next()).toEqual(['lib/a.ts'])
    writeFileSync(at('lib/a.ts'), 'edited')
    expect(await seen.next()).toEqual(['lib/a.ts'])
  })
})

describe('known contents', () => {
  test('a file that changed after it was loaded is told of', async () => {
    writeFileSync(at('a.ts'), 'saved since')
    writeFileSync(at('b.ts'), 'loaded')
    const watcher = start()
    const known = new Map([
      [at('a.ts'), contentHash('loaded')],
      [at('b.ts'), contentHash('loaded')],
      [at('c.ts'), undefined],
    ])
    await watcher.update(known.keys(), known)
    expect(await seen.next()).toEqual(['a.ts'])
  })

  test('what was told of is not told of again when its new content was loaded', async () => {
    writeFileSync(at('a.ts'), '1')
    const watcher = await watching(['a.ts'])
    writeFileSync(at('a.ts'), '2')
    expect(await seen.next()).toEqual(['a.ts'])
    await watcher.update([at('a.ts'), at('sentinel')], new Map([[at('a.ts'), contentHash('2')]]))
    await sentinel()
  })
})

test('the net below the events finds what they missed', async () => {
  writeFileSync(at('a.ts'), '1')
  const watcher = start({ rehashMs: 20 })
  await watcher.update([at('a.ts')])
  mkdirSync(at('elsewhere'))
  // Neither folder that this passes through holds an entry that is watched by name.
  renameSync(folder, `${folder}.moved`)
  mkdirSync(folder)
  writeFileSync(at('a.ts'), '2')
  expect(await seen.next()).toEqual(['a.ts'])
  rmSync(`${folder}.moved`, { recursive: true })
})
