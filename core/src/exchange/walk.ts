import { Readable } from 'node:stream'
import type { Reply } from '../contract/context.ts'
import type { GatewayError } from '../contract/errors.ts'
import type { Awaitable } from '../contract/hooks.ts'
import type { Exchange } from './exchange.ts'
import { cutOff, logFailure } from './finish.ts'
import { isThenable, pluginFailure } from './plugin-failure.ts'
import type { Step } from './route.ts'

/** A run of hooks: how one is called, what its answer means, and where the way goes on. */
export interface Phase<Run> {
  readonly hook: string
  /** On the way to the upstream; response hooks skip those who never saw the request. */
  readonly forward: boolean
  call(exchange: Exchange, run: Run): Awaitable<Reply | void>
  answered(exchange: Exchange, reply: Reply, step: Step<Run>, index: number): void
  done(exchange: Exchange): void
  failed(exchange: Exchange, error: GatewayError): void
}

/** Runs hooks from `index` on, without a promise as long as none returns one. */
export function walk<Run>(exchange: Exchange, phase: Phase<Run>, steps: readonly Step<Run>[], index: number): void {
  for (let i = index; i < steps.length; i++) {
    const step = steps[i]
    if (step === undefined) break
    if (phase.forward) exchange.reached = step.position
    else if (step.position > exchange.reached) continue
    let reply: Reply | void
    let promise: PromiseLike<Reply | void> | undefined
    try {
      const returned = phase.call(exchange, step.run)
      promise = isThenable(returned) ? returned : undefined
      reply = isThenable(returned) ? undefined : returned
    } catch (error) {
      return phase.failed(exchange, pluginFailure(step.plugin, phase.hook, error))
    }
    if (promise !== undefined && !exchange.overdue) return waitFor(exchange, phase, steps, i, promise)
    // The route's time is over: what is still to be said is said now, and nobody is waited for.
    if (promise !== undefined) disregard(exchange, phase.hook, step.plugin, promise)
    else if (reply !== undefined && reply !== null) return phase.answered(exchange, reply, step, i)
  }
  phase.done(exchange)
}

function waitFor<Run>(
  exchange: Exchange,
  phase: Phase<Run>,
  steps: readonly Step<Run>[],
  index: number,
  promise: PromiseLike<Reply | void>,
): void {
  const step = steps[index]
  if (step === undefined) return
  const turn = ++exchange.turn
  // Resolved once more, since only a promise of this realm is sure to call back once, later, and not to throw.
  Promise.resolve(promise).then(
    reply => {
      if (exchange.turn !== turn) return dispose(reply)
      try {
        if (reply === undefined || reply === null) walk(exchange, phase, steps, index + 1)
        else phase.answered(exchange, reply, step, index)
      } catch (error) {
        // A fault of the kernel itself: it must not end the process.
        cutOff(exchange, error)
      }
    },
    error => {
      if (exchange.turn === turn) phase.failed(exchange, pluginFailure(step.plugin, phase.hook, error))
    },
  )
}

/** A promise whose answer comes too late, or was not asked for: what it throws is logged. */
export function disregard(exchange: Exchange, hook: string, plugin: string, promise: PromiseLike<unknown>): void {
  Promise.resolve(promise).then(dispose, error => logFailure(exchange, pluginFailure(plugin, hook, error)))
}

/** A reply that nobody will send: its body is let go of. */
export function dispose(reply: unknown): void {
  if (typeof reply === 'object' && reply !== null && 'body' in reply && reply.body instanceof Readable) {
    reply.body.destroy()
  }
}
