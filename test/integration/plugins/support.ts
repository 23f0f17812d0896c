import { definePlugin, type Plugin, type RouteHooks, type Slot, type Stage } from '@gateway/core'
import { expect } from 'vitest'
import { type LooseConfig, proxyTo, type RunningGateway, startGateway } from '../../support/gateway.ts'

export type AnyPlugin = Plugin<string, unknown, unknown>

interface Place {
  readonly stage?: Stage
  readonly writes?: readonly Slot<never>[]
  readonly needs?: readonly Slot<never>[]
}

/** A plugin of these hooks on every route. */
export function hooked(name: string, hooks: RouteHooks, place: Place = {}): AnyPlugin {
  return definePlugin({ name, ...place, setup: () => ({ onRoute: () => hooks }) } as never)() as never
}

/** What a plugin written without TypeScript may hold: anything. */
export function untyped(name: string, hooks: Record<string, unknown>): AnyPlugin {
  return hooked(name, hooks as never)
}

/** A gateway whose routes answer by themselves: every path with `own` as its body. */
export function startAnswering(plugins: readonly AnyPlugin[], more: LooseConfig = {}): Promise<RunningGateway> {
  const { route, ...rest } = more
  const routes = { all: { match: 'ANY /*', reply: { status: 200, body: 'own' }, ...(route as object | undefined) } }
  return startGateway({ plugins, routes, ...rest })
}

/** A gateway in front of an upstream. */
export function startProxy(
  origin: string | readonly unknown[],
  plugins: readonly AnyPlugin[],
  more: Parameters<typeof proxyTo>[1] = {},
): Promise<RunningGateway> {
  return startGateway(proxyTo(origin, { plugins, ...more }))
}

/** `status body` of a request without a socket. */
export async function ask({ gateway }: RunningGateway, path = '/', init?: RequestInit): Promise<string> {
  const response = await gateway.fetch(`http://gateway.test${path}`, init)
  return `${response.status} ${await response.text()}`
}

/** The code of the problem that answers a request, with its status. */
export async function askProblem({ gateway }: RunningGateway, path = '/', init?: RequestInit): Promise<string> {
  const response = await gateway.fetch(`http://gateway.test${path}`, init)
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  const problem = (await response.json()) as { code: string; requestId: string; status: number }
  expect(problem.status).toBe(response.status)
  expect(problem.requestId).toBe(response.headers.get('x-request-id'))
  return `${response.status} ${problem.code}`
}

/** Messages that were logged as errors. */
export const errorsOf = ({ log }: RunningGateway) =>
  log.all.filter(line => line.level === 'error').map(line => line.message)

/** A promise and what settles it. */
export const gate = <T = void>() => Promise.withResolvers<T>()

/** Lets everything that is ready run: a turn of the event loop. */
export { setImmediate as turn } from 'node:timers/promises'

const then = 'then'
/** An object with a `then` that is no promise of this realm. */
export const thenable = (run: unknown): object => ({ [then]: run })
/** An object whose `then` cannot even be looked at. */
export const unreadableThenable = (): object =>
  Object.defineProperty({}, then, {
    get() {
      throw new Error('then')
    },
  })
