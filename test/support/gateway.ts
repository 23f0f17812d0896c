import { ConfigProblems, createGateway, type Gateway, type Log } from '@gateway/core'
import { expect } from 'vitest'
import { normalise } from '../../core/src/config/normalise.ts'
import { Kernel } from '../../core/src/gateway.ts'
import { buildGeneration } from '../../core/src/generation/build.ts'
import { machine } from '../../core/src/generation/platform.ts'
import { SharedStore } from '../../core/src/generation/shared-store.ts'
import { alone } from '../../core/src/group/worker-group.ts'
import { deadlines } from '../../core/src/http1/deadlines.ts'
import { GatewayClock, type TestClock } from '../../core/src/testing/test-clock.ts'
import { onCleanup } from './cleanup.ts'
import { eventually } from './eventually.ts'
import { type RecordingLog, recordingLog } from './log.ts'
import { listeners, pools } from './watched.ts'

export interface RunningGateway {
  readonly gateway: Gateway
  readonly port: number
  readonly log: RecordingLog
}

/** A config as plain data; what is wrong with it rejects. */
export type LooseConfig = Readonly<Record<string, unknown>>

/**
 * A gateway on port 0 of 127.0.0.1, or with a list of listeners as it is, with an access log, closed after the test. Then,
 * with the clients gone, it must have let go of everything: no exchange, no busy or opening upstream connection, no
 * client, and after closing no deadline.
 */
export async function startGateway(config: LooseConfig, clock?: GatewayClock): Promise<RunningGateway> {
  const log = recordingLog()
  const { listen = {} } = config
  const settings = Array.isArray(listen) ? listen : { port: 0, host: '127.0.0.1', ...(listen as object) }
  const whole = { log: { access: true }, ...config, listen: settings }
  const gateway = await (clock === undefined ? createGateway(whole, { log }) : gatewayOn(clock, whole, log))
  // A config that says nothing of listeners would have the default port, which others may have as well.
  const reload = gateway.reload.bind(gateway)
  gateway.reload = next => reload(isObject(next) && !('listen' in next) ? { ...next, listen: settings } : next)
  const [address] = await gateway.listen()
  if (address === undefined) throw new Error('it does not listen')
  onCleanup('gateways', async () => {
    try {
      await eventually(() => expectNothingUnderWay(gateway))
    } finally {
      await gateway.close()
    }
  })
  onCleanup('checks', async () => {
    expect([...pools].map(pool => pool.stats)).toEqual([...pools].map(() => nothing))
    expect(gateway.shared).toEqual([])
    expect(deadlines.size).toBe(0)
    pools.clear()
    listeners.clear()
  })
  return { gateway, port: address.port, log }
}

/** As {@link startGateway}, and the times of exchanges and plugins pass when the test says so. */
export async function startGatewayByClock(
  config: LooseConfig,
): Promise<RunningGateway & { readonly clock: TestClock }> {
  const clock = new GatewayClock(Date.now())
  return { ...(await startGateway(config, clock)), clock }
}

async function gatewayOn(clock: GatewayClock, config: unknown, log: Log): Promise<Gateway> {
  const normalised = normalise(config)
  if (normalised.model === undefined) throw new ConfigProblems(normalised.problems)
  const { now, every, after } = clock
  const store = new SharedStore(alone(), { ...machine, deadlines: clock.deadlines, now, every, after })
  return new Kernel(await buildGeneration(1, normalised.model, store, log), log, () => {}, normalised)
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

const nothing = { open: 0, idle: 0, busy: 0, connecting: 0, queued: 0 }

function expectNothingUnderWay(gateway: Gateway): void {
  expect([...listeners].map(listener => listener.connections)).toEqual([...listeners].map(() => 0))
  expect([...pools].map(({ stats }) => ({ ...stats, open: 0, idle: 0 }))).toEqual([...pools].map(() => nothing))
  expect(gateway.generations.filter(generation => generation.inFlight > 0)).toEqual([])
}

/** A config of one service behind one route for everything. */
export function proxyTo(
  targets: string | readonly unknown[],
  more: { readonly route?: object; readonly service?: object; readonly listen?: object } & LooseConfig = {},
): LooseConfig {
  const { route, service, ...rest } = more
  return {
    ...rest,
    services: { backend: { targets: typeof targets === 'string' ? [targets] : targets, ...service } },
    routes: { all: { match: 'ANY /*', service: 'backend', ...route } },
  }
}
