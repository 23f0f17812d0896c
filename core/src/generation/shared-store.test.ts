import { expect, test } from 'vitest'
import { SharedStore } from './shared-store.ts'

/** A declaration that counts what becomes of its values. */
function counted(name = 'test.value') {
  let made = 0
  const closed: number[] = []
  return {
    closed,
    get made() {
      return made
    },
    declaration: {
      name,
      create: () => ({ number: ++made }),
      close: ({ number }: { number: number }) => void closed.push(number),
    },
  }
}

test('the first to ask makes the value, the others get the same', () => {
  const store = new SharedStore()
  const state = counted()
  const [a, b] = [store.lease(), store.lease()]
  const value = a.share(state.declaration)
  expect(a.share(state.declaration)).toBe(value)
  expect(b.share(state.declaration)).toBe(value)
  expect(state.made).toBe(1)
  expect(store.names).toEqual(['test.value'])
})

test('the name is the identity: a declaration of another load finds the value of the first', () => {
  const store = new SharedStore()
  const [first, second] = [counted(), counted()]
  expect(store.lease().share(second.declaration)).not.toBe(store.lease().share(counted('other').declaration))
  const value = store.lease().share(first.declaration)
  expect(value).toEqual({ number: 1 })
  expect(first.made).toBe(0)
})

test('it is closed when the last lease lets go, once, however often each asked', async () => {
  const store = new SharedStore()
  const state = counted()
  const [a, b] = [store.lease(), store.lease()]
  for (const lease of [a, a, b]) lease.share(state.declaration)
  await a.release(1_000)
  expect(state.closed).toEqual([])
  await b.release(1_000)
  expect(state.closed).toEqual([1])
  await Promise.all([a.release(1_000), b.release(1_000)])
  expect(state.closed).toEqual([1])
  expect(store.names).toEqual([])
})

test('after it was closed the next to ask makes a new one', async () => {
  const store = new SharedStore()
  const state = counted()
  const first = store.lease()
  first.share(state.declaration)
  await first.release(1_000)
  expect(store.lease().share(state.declaration)).toEqual({ number: 2 })
})

test('whoever asks while the old one is being closed gets a new one', async () => {
  const store = new SharedStore()
  const closing = Promise.withResolvers<void>()
  let made = 0
  const declaration = { name: 'slow', create: () => ++made, close: () => closing.promise }
  const first = store.lease()
  first.share(declaration)
  const released = first.release(1_000)
  expect(store.lease().share(declaration)).toBe(2)
  closing.resolve()
  expect(await released).toEqual([])
  expect(store.names).toEqual(['slow'])
})

test('undefined is a value', () => {
  const store = new SharedStore()
  let made = 0
  const declaration = { name: 'nothing', create: () => void made++ }
  const lease = store.lease()
  lease.share(declaration)
  lease.share(declaration)
  expect(made).toBe(1)
})

test('what throws when it is made is not kept, and the next to ask tries again', async () => {
  const store = new SharedStore()
  const lease = store.lease()
  let tries = 0
  const declaration = {
    name: 'failing',
    create() {
      if (++tries === 1) throw new Error('boom')
      return tries
    },
  }
  expect(() => lease.share(declaration)).toThrow('boom')
  expect(store.names).toEqual([])
  expect(lease.share(declaration)).toBe(2)
  expect(await lease.release(1_000)).toEqual([])
})

test('what fails to close is told by name, and keeps no other from closing', async () => {
  const store = new SharedStore()
  const lease = store.lease()
  const state = counted()
  lease.share({
    name: 'throws',
    create: () => 1,
    close() {
      throw new Error('at once')
    },
  })
  lease.share({ name: 'rejects', create: () => 1, close: () => Promise.reject(new Error('later')) })
  lease.share(state.declaration)
  const failures = await lease.release(1_000)
  expect(failures.map(({ name, error }) => `${name}: ${(error as Error).message}`).toSorted()).toEqual([
    'rejects: later',
    'throws: at once',
  ])
  expect(state.closed).toEqual([1])
  expect(store.names).toEqual([])
})

test('a lease that was let go gives nothing more: nobody would close it', async () => {
  const store = new SharedStore()
  const lease = store.lease()
  await lease.release(1_000)
  expect(() => lease.share(counted().declaration)).toThrow(
    '"test.value" is asked for by a generation that has been let go',
  )
  expect(store.names).toEqual([])
})

test('what closes in its own time is waited for when all is to be settled, whatever becomes of it', async () => {
  const store = new SharedStore()
  await store.settled()
  const [one, two] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  store.closesLater(one.promise)
  store.closesLater(two.promise)
  let settled = false
  const all = store.settled().then(() => {
    settled = true
  })
  one.resolve()
  await one.promise
  expect(settled).toBe(false)
  two.reject(new Error('x'))
  await all
  await store.settled()
})
