import { expect, test, vi } from 'vitest'
import { type DeadlineOwner, Deadlines } from './deadlines.ts'

function owner(deadline: number, onDeadline: (self: DeadlineOwner) => void = () => {}) {
  const fired = vi.fn()
  const self: DeadlineOwner = {
    deadline,
    deadlineIndex: -1,
    onDeadline() {
      fired()
      onDeadline(self)
    },
  }
  return Object.assign(self, { fired })
}

test('fires what is due, once, and nothing else', () => {
  const deadlines = new Deadlines()
  const due = owner(100)
  const later = owner(101)
  const none = owner(0)
  for (const each of [due, later, none]) deadlines.add(each)
  deadlines.sweep(100)
  deadlines.sweep(100)
  expect(due.fired).toHaveBeenCalledTimes(1)
  expect(due.deadline).toBe(0)
  expect(later.fired).not.toHaveBeenCalled()
  expect(none.fired).not.toHaveBeenCalled()
  later.deadline = 50
  deadlines.sweep(100)
  expect(later.fired).toHaveBeenCalledTimes(1)
  for (const each of [due, later, none]) deadlines.remove(each)
})

test('owners may remove themselves and others, or add more, while they fire', () => {
  const deadlines = new Deadlines()
  const others = Array.from({ length: 5 }, () => owner(1))
  const late = owner(1)
  const remover = owner(1, self => {
    deadlines.remove(self)
    for (const other of others) deadlines.remove(other)
    deadlines.add(late)
  })
  for (const each of [...others, remover]) deadlines.add(each)
  deadlines.sweep(2)
  expect(remover.fired).toHaveBeenCalledTimes(1)
  expect(deadlines.size).toBe(1)
  deadlines.sweep(2)
  expect(late.fired).toHaveBeenCalledTimes(1)
  deadlines.remove(late)
  expect(deadlines.size).toBe(0)
})

test('adding and removing twice does no harm, and indices follow a swap', () => {
  const deadlines = new Deadlines()
  const all = Array.from({ length: 4 }, () => owner(1))
  for (const each of all) deadlines.add(each)
  for (const each of all) deadlines.add(each)
  expect(deadlines.size).toBe(4)
  for (const each of [...all.slice(1), ...all]) deadlines.remove(each)
  expect(deadlines.size).toBe(0)
  expect(all.map(each => each.deadlineIndex)).toEqual([-1, -1, -1, -1])
})

test('what one owner throws does not keep the others from firing', () => {
  const faults: unknown[] = []
  const deadlines = new Deadlines(50, error => faults.push(error))
  const first = owner(1)
  const broken = owner(1, () => {
    throw new Error('broken')
  })
  const last = owner(1)
  for (const each of [first, broken, last]) deadlines.add(each)
  deadlines.sweep(2)
  expect(first.fired).toHaveBeenCalled()
  expect(last.fired).toHaveBeenCalled()
  expect(faults).toEqual([new Error('broken')])
  for (const each of [first, broken, last]) deadlines.remove(each)
})

test('the timer runs only while there are owners', async () => {
  const deadlines = new Deadlines(1)
  const { promise, resolve } = Promise.withResolvers<void>()
  const only = owner(performance.now() + 5, () => resolve())
  const due = only.deadline
  deadlines.add(only)
  await promise
  expect(performance.now()).toBeGreaterThanOrEqual(due)
  deadlines.remove(only)
  expect(deadlines.size).toBe(0)
})
