import { expect, test, vi } from 'vitest'
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
  void queue.request(['a'])
  expect(runs).toMatchObject([{ changed: ['a'] }])
  expect(runs[0]?.signal.aborted).toBe(false)
  void queue.request(['b'])
  void queue.request(['b', 'c'])
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
  void queue.request([])
  runs[0]?.end()
  await Promise.resolve()
  const second = nextRun()
  void queue.request(['x'])
  await second
  expect(runs[1]?.changed).toEqual(['x'])
  runs[1]?.end()
  await queue.stop()
})

test('stop waits for the run under way and allows no other', async () => {
  const { queue, runs } = recorded()
  void queue.request(['a'])
  void queue.request(['b'])
  const stopped = queue.stop()
  expect(runs[0]?.signal.aborted).toBe(true)
  runs[0]?.end()
  await stopped
  void queue.request(['c'])
  expect(runs).toHaveLength(1)
})

test('whoever asks hears of the run that was not overtaken', async () => {
  const results = ['overtaken', undefined, 'last']
  const gates: (() => void)[] = []
  const queue = createReloadQueue<string>(async () => {
    await new Promise<void>(resolve => gates.push(resolve))
    return results.shift()
  })
  const heard: (readonly [string, string | undefined])[] = []
  const ask = (name: string) => queue.request([name]).then(result => void heard.push([name, result]))
  const first = ask('a')
  const second = ask('b')
  gates.shift()?.()
  await first
  const third = ask('c')
  gates.shift()?.()
  await vi.waitFor(() => expect(gates).toHaveLength(1))
  gates.shift()?.()
  await Promise.all([second, third])
  // The first took its config although it was overtaken; the second gave up for the third.
  expect(heard).toEqual([
    ['a', 'overtaken'],
    ['b', 'last'],
    ['c', 'last'],
  ])
  await queue.stop()
  expect(await queue.request([])).toBeUndefined()
})
