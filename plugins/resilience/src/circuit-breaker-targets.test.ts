import { type Attempt, type Context, type Host, type ServiceView, silentLog, type Target } from '@gateway/core'
import { expect, test } from 'vitest'
import { serviceSchema } from './circuit-breaker-options.ts'
import { guardTargets } from './circuit-breaker-targets.ts'

test('a timer that is early, or a clock that was set back, lets nobody in too soon and nobody wait for ever', () => {
  let now = 1_000_000
  const timers: (() => void)[] = []
  const clock = {
    now: () => now,
    after(_ms: number, run: () => void) {
      timers.push(run)
      return () => {}
    },
  }
  const share = ({ create }: { create(): unknown }) => create()
  const host = { log: silentLog, clock, share, defer: () => {} } as object as Host
  let holds = 0
  const target = {
    url: 'http://a.test',
    get available() {
      return holds === 0
    },
  } as object as Target
  const holdOut = () => {
    holds++
    return () => void holds--
  }
  const view = { name: 'shop', targets: [target], holdOut } as object as ServiceView<unknown>
  const { onAttemptEnd } = guardTargets(host, view, serviceSchema.parse({ failures: 1, openFor: 1_000 }))
  onAttemptEnd({} as Context, { target, ageMs: 0 } as object as Attempt, { status: 500, headersMs: 0 })
  expect([holds, timers.length]).toEqual([1, 1])
  now += 999
  timers[0]?.()
  expect([holds, timers.length]).toEqual([1, 2])
  now += 1
  timers[1]?.()
  expect([holds, timers.length]).toEqual([0, 2])
})
