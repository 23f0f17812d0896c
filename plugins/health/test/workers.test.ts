import { type Host, type ServiceView, silentLog, type Target } from '@gateway/core'
import { expect, onTestFinished, test, vi } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { serviceSchema } from '../src/options.ts'
import { startProbes } from '../src/probes.ts'

/** Workers with channels between them, and one target that answers as `says` has it. */
function start() {
  const says = { status: 500 }
  const asked = [0, 0, 0]
  const held = [new Map<string, string>(), new Map<string, string>(), new Map<string, string>()]
  const hear: ((message: unknown, from: number) => void)[] = []
  const target = { url: 'http://a' } as Target
  const options = serviceSchema.parse({ path: '/', interval: 10, unhealthyAfter: 1, healthyAfter: 1 })

  function join(index: number): void {
    const cleanups: (() => void)[] = []
    onTestFinished(() => {
      for (const run of cleanups) run()
    })
    const host = {
      log: silentLog,
      worker: { index, count: 3 },
      share: ({ create }: { create(): unknown }) => create(),
      defer: (run: () => void) => void cleanups.push(run),
      clock: {
        every(ms: number, task: () => void) {
          const timer = setInterval(task, ms)
          cleanups.push(() => clearInterval(timer))
        },
      },
      channel(_name: string, onMessage: (message: unknown, from: number) => void) {
        hear[index] = onMessage
        const post = (message: unknown) => {
          for (const [i, to] of hear.entries()) if (i !== index) to(message, index)
        }
        return { post }
      },
    } as object as Host
    const view = {
      name: 'shop',
      targets: [target],
      holdOut({ url }: Target, reason: string) {
        held[index]?.set(url, reason)
        return () => void held[index]?.delete(url)
      },
      ask() {
        asked[index] = (asked[index] ?? 0) + 1
        return Promise.resolve({ status: says.status, body: '' })
      },
    } as object as ServiceView<unknown>
    startProbes(host, view, options)
  }

  const sizes = () => held.map(({ size }) => size)
  return { says, asked, join, sizes, reasons: () => held.flatMap(reasons => [...reasons.values()]) }
}

test('the first worker probes, the others hear of it, and one that comes late asks', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0)
  onTestFinished(() => void vi.restoreAllMocks())
  const { says, asked, join, sizes, reasons } = start()
  join(0)
  join(1)
  await eventually(() => expect(sizes()).toEqual([1, 1, 0]))
  join(2)
  expect(sizes()).toEqual([1, 1, 1])
  expect(new Set(reasons())).toEqual(new Set(['its probes fail: it answered 500']))
  says.status = 200
  await eventually(() => expect(sizes()).toEqual([0, 0, 0]))
  expect(asked.slice(1)).toEqual([0, 0])
})
