import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Stage, stages } from '../contract/plugin.ts'
import { type AnySlot, defineSlot } from '../contract/slot.ts'
import type { PluginModel } from './model.ts'
import { orderPlugins } from './plugin-order.ts'
import type { Problem } from './problem.ts'

const slotOf = (name: string): AnySlot => defineSlot<unknown>()(`order.${name}`)

interface Given {
  readonly name: string
  readonly stage?: Stage | undefined
  readonly writes?: readonly string[]
  readonly needs?: readonly string[]
}

function order(given: readonly Given[]) {
  const problems: Omit<Problem, 'severity'>[] = []
  const plugins: PluginModel[] = given.map(({ name, stage, writes = [], needs = [] }, position) => ({
    name,
    position,
    definition: { name, stage, writes: writes.map(slotOf), needs: needs.map(slotOf) },
    options: undefined,
  }))
  const names = orderPlugins(plugins, problem => problems.push(problem)).map(plugin => plugin.name)
  return { names, problems }
}

test('stages come first, whatever the order of the list', () => {
  const given = [...stages].reverse().map(stage => ({ name: stage, stage }))
  expect(order(given)).toEqual({ names: ['guard', 'identify', 'authorize', 'admit', 'shape'], problems: [] })
})

test('without a stage a plugin shapes', () => {
  const given = [
    { name: 'none' },
    { name: 'shape', stage: 'shape' as const },
    { name: 'admit', stage: 'admit' as const },
  ]
  expect(order(given).names).toEqual(['admit', 'none', 'shape'])
})

test('within a stage the list decides', () => {
  expect(order([{ name: 'b' }, { name: 'c' }, { name: 'a' }]).names).toEqual(['b', 'c', 'a'])
})

test('within a stage a writer goes before its readers, and the rest keep their places', () => {
  const { names, problems } = order([
    { name: 'reader', needs: ['user'] },
    { name: 'other' },
    { name: 'writer', writes: ['user'] },
    { name: 'last' },
  ])
  expect(names).toEqual(['other', 'writer', 'reader', 'last'])
  expect(problems).toEqual([])
})

test('a chain of slots is followed, also when written down backwards', () => {
  const { names } = order([
    { name: 'c', needs: ['b'] },
    { name: 'b', needs: ['a'], writes: ['b'] },
    { name: 'a', writes: ['a'] },
  ])
  expect(names).toEqual(['a', 'b', 'c'])
})

test('every writer of a slot goes before its reader', () => {
  const { names } = order([
    { name: 'reader', needs: ['s'] },
    { name: 'one', writes: ['s'] },
    { name: 'two', writes: ['s'] },
  ])
  expect(names).toEqual(['one', 'two', 'reader'])
})

test('a slot that nobody writes is refused', () => {
  expect(order([{ name: 'other' }, { name: 'reader', needs: ['user'] }]).problems).toEqual([
    {
      code: 'CONFIG_SLOT_NOT_WRITTEN',
      message: 'plugin "reader" needs slot "order.user", which no plugin writes',
      hint: 'add the plugin that writes it',
      path: ['plugins', 1],
    },
  ])
})

test('what a plugin writes itself does not serve its own need', () => {
  const { problems } = order([{ name: 'both', needs: ['s'], writes: ['s'] }])
  expect(problems.map(({ code }) => code)).toEqual(['CONFIG_SLOT_NOT_WRITTEN'])
})

test('a reader in an earlier stage than every writer is refused', () => {
  const { problems } = order([
    { name: 'late', stage: 'authorize', writes: ['s'] },
    { name: 'early', stage: 'guard', needs: ['s'] },
  ])
  expect(problems).toEqual([
    {
      code: 'CONFIG_SLOT_WRITTEN_TOO_LATE',
      message: 'plugin "early" (guard) needs slot "order.s", which is written later, by "late" (authorize)',
      path: ['plugins', 1],
    },
  ])
})

test('one writer that is early enough will do', () => {
  const { problems } = order([
    { name: 'late', stage: 'shape', writes: ['s'] },
    { name: 'reader', stage: 'authorize', needs: ['s'] },
    { name: 'early', stage: 'identify', writes: ['s'] },
  ])
  expect(problems).toEqual([])
})

test('a circle is refused, and named without those who only hang on it', () => {
  const { names, problems } = order([
    { name: 'hanger', needs: ['a'] },
    { name: 'a', writes: ['a'], needs: ['c'] },
    { name: 'b', writes: ['b'], needs: ['a'] },
    { name: 'c', writes: ['c'], needs: ['b'] },
  ])
  expect(names).toHaveLength(4)
  expect(problems).toEqual([
    {
      code: 'CONFIG_PLUGIN_CIRCLE',
      message: `plugins need each other's slots in a circle: "a" -> "c" -> "b" -> "a"`,
      path: ['plugins', 1],
    },
  ])
})

test('two copies of a slot are one, by name', () => {
  const { problems } = order([
    { name: 'writer', writes: ['copy'] },
    { name: 'reader', needs: ['copy'] },
  ])
  expect(problems).toEqual([])
})

test('whatever the plugins: none is lost, and without a problem every need is met in time', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd')
  const plugin = fc.record({
    stage: fc.option(fc.constantFrom(...stages), { nil: undefined }),
    writes: fc.uniqueArray(name, { maxLength: 2 }),
    needs: fc.uniqueArray(name, { maxLength: 2 }),
  })
  fc.assert(
    fc.property(fc.array(plugin, { maxLength: 7 }), given => {
      const plugins = given.map((one, index) => ({ ...one, name: `p${index}` }))
      const { names, problems } = order(plugins)
      expect(names.toSorted()).toEqual(plugins.map(one => one.name).toSorted())
      if (problems.length > 0) return
      for (const reader of plugins) {
        for (const slot of reader.needs) {
          const before = plugins.filter(one => names.indexOf(one.name) < names.indexOf(reader.name))
          expect(before.some(one => one.writes.includes(slot))).toBe(true)
        }
      }
    }),
  )
})
