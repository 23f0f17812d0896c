import { expect, test } from 'vitest'
import { createReloadQueue } from './reload-queue.ts'

function recorded() {
  const runs: { changed: readonly string[]; signal: AbortSignal; end: () => void }[] = []
  const begun: (() => void)[] = []
  const queue = createReloadQueue((changed, signal) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    runs.push({ changed, signal, end: resolve })
    begun.shift()?.()
    return promise
  })
  const nextRun = () => new Promise<void>(resolve => begun.push(resolve))
  return { queue, runs, nextRun }
}

test('changes during a run lead to exactly one more, and overtake it', async () => {
  const { queue, runs, nextRun } = recorded()
  queue.request(['a'])
  expect(runs).toMatchObject([{ changed: ['a'] }])
  expect(runs[0]?.signal.aborted).toBe(false)
  queue.request(['b'])
  queue.request(['b', 'c'])
  expect(runs).toHaveLength(1)
  expect(runs[0]?.signal.aborted).toBe(true)
  const second = nextRun()
  runs[0]?.end()
  await second
  expect(runs).toMatchObject([{ changed: ['a'] }, { changed: ['b', 'c'] }])
  expect(runs[1]?.signal.aborted).toBe(false)
  runs[1]?.end()
  await queue.stop()
  expect(runs).toHaveLength(2)
})

test('a request after the last run was over starts the next', async () => {
  const { queue, runs, nextRun } = recorded()
  queue.request([])
  runs[0]?.end()
  await Promise.resolve()
  const second = nextRun()
  queue.request(['x'])
  await second
  expect(runs[1]?.changed).toEqual(['x'])
  runs[1]?.end()
  await queue.stop()
})

test('stop waits for the run under way and allows no other', async () => {
  const { queue, runs } = recorded()
  queue.request(['a'])
  queue.request(['b'])
  const stopped = queue.stop()
  expect(runs[0]?.signal.aborted).toBe(true)
  runs[0]?.end()
  await stopped
  queue.request(['c'])
  expect(runs).toHaveLength(1)
})
