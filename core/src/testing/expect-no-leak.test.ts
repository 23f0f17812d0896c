import { describe, expect, onTestFinished, test } from 'vitest'
import type { Host } from '../contract/host.ts'
import { definePlugin } from '../contract/plugin.ts'
import { expectNoLeak, type LeakOptions, type TestGateway, testPlugin } from './index.ts'
import { generationsHeld } from './test-gateway.ts'

const between = async (gateway: TestGateway) => (await gateway.fetch('/')).text()
const options: LeakOptions = { reloads: 20, between, settleMs: 50 }

/** What piles up with a plugin of this set-up. */
async function leak(setup: (host: Host) => void, more: LeakOptions = {}): Promise<string | undefined> {
  const gateway = await testPlugin(definePlugin({ name: 'tested', setup })())
  try {
    await expectNoLeak(gateway, { ...options, ...more })
    return undefined
  } catch (error) {
    return String(error)
  } finally {
    await gateway.close()
  }
}

test('nothing piles up with a plugin that cleans up, and waits for none that takes its time', async () => {
  const tidy = (host: Host) => {
    host.share({ name: 'tested.map', create: () => new Map() })
    const timer = setInterval(() => {}, 60_000)
    host.defer(async () => {
      await new Promise(resolve => setImmediate(resolve))
      clearInterval(timer)
    })
  }
  expect(await leak(tidy, { settleMs: 2_000 })).toBeUndefined()
})

test('what a plugin keeps and shares holds its own generation, and none before', async () => {
  const keeping = definePlugin({
    name: 'keeping',
    setup(host) {
      const kept: unknown[] = []
      host.share({ name: 'keeping.since', create: () => ({ since: host.clock.now(), kept: kept.length }) })
      return {
        onService: service => void kept.push(service),
        onRoute(route) {
          kept.push(route)
          return { onFinish: () => expect(kept).toHaveLength(2) }
        },
      }
    },
  })
  await using gateway = await testPlugin(keeping())
  await expectNoLeak(gateway, { ...options, settleMs: 2_000 })
  expect(generationsHeld(gateway)).toBe(1)
})

describe('what piles up is told:', () => {
  test('timers', async () => {
    const timers: NodeJS.Timeout[] = []
    onTestFinished(() => timers.forEach(clearInterval))
    expect(await leak(() => void timers.push(setInterval(() => {}, 60_000)))).toContain('pile up what they open')
  })

  test('listeners of the process', async () => {
    const added: (() => void)[] = []
    onTestFinished(() => added.forEach(listener => void process.off('SIGUSR2', listener)))
    process.setMaxListeners(100)
    const listening = () => {
      const listener = () => {}
      added.push(listener)
      process.on('SIGUSR2', listener)
    }
    expect(await leak(listening)).toMatch(/pile up (listeners of the process|what they open)/)
  })

  test('shared state', async () => {
    let number = 0
    const sharing = (host: Host) => void host.share({ name: `tested.${number++}`, create: () => ({}) })
    expect(await leak(sharing)).toContain('what is shared changed')
  })

  test('generations', async () => {
    const hosts: Host[] = []
    expect(await leak(host => void hosts.push(host))).toMatch(/still holds 20 generations of 20/)
    expect(hosts.length).toBeGreaterThan(20)
  })

  test('memory', async () => {
    const kept: unknown[] = []
    const hoard = () => void kept.push(Array.from({ length: 20_000 }, (_, index) => index / 3))
    expect(await leak(hoard)).toMatch(/20 reloads left \d{7,} bytes on the heap, of which 1212416 are allowed/)
    expect(kept.length).toBeGreaterThan(20)
  })
})

test('the config of each reload may differ', async () => {
  const gateway = await testPlugin(definePlugin({ name: 'tested' })())
  const rounds: number[] = []
  const config = (round: number) => {
    rounds.push(round)
    return { routes: { [`route${round % 2}`]: { match: 'GET /', reply: { status: 200 } } } }
  }
  await expectNoLeak(gateway, { config, reloads: 12 })
  await expect(expectNoLeak(gateway, { config: () => gateway.config })).rejects.toThrow('config(0) says the same')
  expect(rounds).toEqual(Array.from({ length: 22 }, (_, round) => round))
  await gateway.close()
})
