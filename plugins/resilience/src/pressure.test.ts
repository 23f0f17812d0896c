import { describe, expect, test } from 'vitest'
import { Pressure, priorities } from './pressure.ts'

/** What part of each priority is shed. */
const chances = (pressure: Pressure) => priorities.map(priority => Math.round(pressure.chance(priority) * 100))

function measured(pressure: Pressure, lagMs: number, times: number): Pressure {
  for (let i = 0; i < times; i++) pressure.measure(lagMs)
  return pressure
}

describe('pressure', () => {
  test('rises with every measurement above the threshold, and falls on the least important first', () => {
    const pressure = new Pressure(100)
    expect(chances(measured(pressure, 110, 3))).toEqual([0, 0, 0, 0])
    const seen: number[][] = []
    for (let i = 0; i < 20; i++) seen.push(chances(measured(pressure, 110, 1)))
    expect(seen[1]?.[0]).toBeGreaterThan(0)
    for (const [low = 0, normal = 0, high = 0, critical] of seen) {
      expect(critical).toBe(0)
      if (normal > 0) expect(low).toBe(100)
      if (high > 0) expect(normal).toBe(100)
    }
    expect(chances(pressure)).toEqual([100, 100, 100, 0])
  })

  test('sheds that part of the requests', () => {
    const pressure = new Pressure(100)
    expect(pressure.sheds('low', 0)).toBe(false)
    while (pressure.chance('low') < 0.3) pressure.measure(110)
    const chance = pressure.chance('low')
    expect([pressure.sheds('low', chance - 0.001), pressure.sheds('low', chance)]).toEqual([true, false])
    expect(pressure.sheds('normal', 0)).toBe(false)
  })

  test('one pause is not a load', () => {
    const pressure = new Pressure(100)
    pressure.measure(190)
    expect(pressure.level).toBe(0)
    pressure.measure(0)
    expect(pressure.level).toBe(0)
  })

  test('rises faster the more it lags', () => {
    const [some, much] = [new Pressure(100), new Pressure(100)]
    expect(measured(some, 120, 5).level).toBeLessThan(measured(much, 1_000, 5).level / 2)
  })

  test('stays between half the threshold and the threshold, and falls below', () => {
    const pressure = measured(new Pressure(100), 1_000, 5)
    measured(pressure, 70, 10)
    const { level } = pressure
    expect(level).toBeGreaterThan(0)
    expect(measured(pressure, 70, 100).level).toBe(level)
    expect(measured(pressure, 10, 100).level).toBe(0)
  })
})
