import { EventEmitter, once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test, vi } from 'vitest'
import { makeFolder } from '../../../test/support/folder.ts'
import { watchFiles } from './watch.ts'

/** Stands for a system without watches left: every folder fails with the error that inotify gives. */
class ExhaustedWatcher extends EventEmitter {
  static opened = 0
  static closed = 0
  constructor() {
    super()
    ExhaustedWatcher.opened += 1
    setImmediate(() => {
      const error = new Error('System limit for number of file watchers reached')
      this.emit('error', Object.assign(error, { code: 'ENOSPC' }))
    })
  }
  async close() {
    ExhaustedWatcher.closed += 1
    this.removeAllListeners()
    this.on('error', () => undefined)
  }
}

vi.mock('chokidar', () => ({ watch: () => new ExhaustedWatcher() }))

let folder: string

beforeEach(() => {
  folder = makeFolder()
})

test('without watches left it polls, and says so once', async () => {
  const files = ['a.ts', 'b/b.ts', 'c.ts'].map(name => join(folder, name))
  const [first = '', , third = ''] = files
  writeFileSync(first, '1')
  const events = new EventTarget()
  const changes: string[][] = []
  const warnings: string[] = []
  const watcher = watchFiles(
    changed => {
      changes.push(changed)
      events.dispatchEvent(new Event('change'))
    },
    { rehashMs: 0, pollMs: 10, debounceMs: 5, onWarning: message => warnings.push(message) },
  )
  await watcher.update(files)
  let told = once(events, 'change')
  writeFileSync(first, '2')
  await told
  told = once(events, 'change')
  writeFileSync(third, 'appears')
  await told
  expect(changes).toEqual([[first], [third]])
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toContain('ENOSPC')
  expect(ExhaustedWatcher.opened).toBeGreaterThan(0)
  expect(ExhaustedWatcher.closed).toBe(ExhaustedWatcher.opened)
  await watcher.close()
})
