import { type BodyFilter, type Context, defineSlot, type Log } from '@gateway/core'
import type { Mirror } from './mirror-options.ts'

/** Of an answer, what is read before its connection is given up. */
const mostDiscarded = 2 ** 20

/** One that waits for the end of the request's body. */
const collected = defineSlot<AbortController | undefined>()('mirror.copy')

/** The copies of one route's requests that are under way. */
export class Copies {
  readonly #log: Log
  readonly #route: string
  readonly #options: Mirror
  /** Those that collect a body are among them, since they hold memory, too. */
  readonly #underWay = new Set<AbortController>()
  readonly #withheld: ReadonlySet<string>
  #lost = nothingLost()

  constructor(log: Log, route: string, options: Mirror) {
    this.#log = log
    this.#route = route
    this.#options = options
    this.#withheld = new Set(options.withhold.map(name => name.toLowerCase()))
  }

  abort(): void {
    for (const controller of this.#underWay) controller.abort()
  }

  /** Of a request without a body. */
  send(ctx: Context): void {
    const controller = this.#enter()
    if (controller !== undefined) void this.#send(ctx, controller, undefined)
  }

  /** Of one with a body, once that has passed. */
  collect(ctx: Context): BodyFilter | undefined {
    const { maxBody } = this.#options
    if (ctx.bodyLength > maxBody || maxBody === 0) {
      this.#lost.tooLarge++
      return undefined
    }
    const controller = this.#enter()
    if (controller === undefined) return undefined
    ctx.set(collected, controller)
    const chunks: Uint8Array[] = []
    let bytes = 0
    return {
      observes: true,
      push: chunk => {
        if (!this.#underWay.has(controller)) return undefined
        bytes += chunk.byteLength
        // What is kept is its own, and not a corner of the 64 KB that were read at a time.
        if (bytes <= maxBody) chunks.push(Uint8Array.prototype.slice.call(chunk))
        else {
          this.#lost.tooLarge++
          this.#underWay.delete(controller)
          chunks.length = 0
        }
        return undefined
      },
      end: () => {
        if (!this.#underWay.has(controller)) return undefined
        // From here on it is not the request's to end.
        ctx.set(collected, undefined)
        void this.#send(ctx, controller, Buffer.concat(chunks))
        return undefined
      },
    }
  }

  /** The request is over: a body that has not come to its end never will. */
  forget(ctx: Context): void {
    const controller = ctx.get(collected)
    if (controller !== undefined) this.#underWay.delete(controller)
  }

  /** Tells of what was lost since the last time. */
  report(): void {
    const lost = this.#lost
    if (lost.dropped + lost.tooLarge + lost.failed === 0) return
    this.#lost = nothingLost()
    this.#log.warn('requests were not mirrored', { route: this.#route, service: this.#options.to, ...lost })
  }

  #enter(): AbortController | undefined {
    if (this.#underWay.size >= this.#options.maxInFlight) {
      this.#lost.dropped++
      return undefined
    }
    const controller = new AbortController()
    this.#underWay.add(controller)
    return controller
  }

  async #send(ctx: Context, controller: AbortController, body: Uint8Array | undefined): Promise<void> {
    const { to, header, timeout } = this.#options
    const timer = setTimeout(() => controller.abort(), timeout)
    try {
      const kept = [...ctx.headers].filter(([name]) => !this.#withheld.has(name.toLowerCase()))
      const sent = { service: to, headers: [...kept, [header, 'true'] as const], signal: controller.signal }
      const answer = await ctx.forward({ ...sent, ...(body && { body }) })
      let bytes = 0
      for await (const chunk of answer.body) {
        bytes += chunk.length
        if (bytes > mostDiscarded) break
      }
    } catch {
      this.#lost.failed++
    } finally {
      clearTimeout(timer)
      this.#underWay.delete(controller)
    }
  }
}

const nothingLost = () => ({ dropped: 0, tooLarge: 0, failed: 0 })
