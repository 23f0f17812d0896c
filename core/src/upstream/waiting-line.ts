import type { GatewayError } from '../contract/errors.ts'
import { type DeadlineOwner, type Deadlines, deadlines } from '../http1/deadlines.ts'

/** A request before it has a connection. */
export interface Waiting extends DeadlineOwner {
  /** From now on, for as long as its timeout for connections says. */
  startWaiting(now: number): void
  fail(error: GatewayError): void
}

/** The requests of a pool that wait for a connection, in order of arrival. */
export class WaitingLine<Stream extends Waiting> {
  /** A set, so that leaving costs the same wherever one stands. */
  readonly #streams = new Set<Stream>()
  readonly #deadlines: Deadlines

  constructor(clock: Deadlines = deadlines) {
    this.#deadlines = clock
  }

  get size(): number {
    return this.#streams.size
  }

  get first(): Stream | undefined {
    const [first] = this.#streams
    return first
  }

  [Symbol.iterator](): Iterator<Stream> {
    return this.#streams[Symbol.iterator]()
  }

  has(stream: Stream): boolean {
    return this.#streams.has(stream)
  }

  join(stream: Stream, now: number): void {
    stream.startWaiting(now)
    this.#deadlines.add(stream)
    this.#streams.add(stream)
  }

  /** Harmless for one that does not wait. */
  leave(stream: Stream): void {
    this.#deadlines.remove(stream)
    this.#streams.delete(stream)
  }

  fail(stream: Stream, error: GatewayError): void {
    this.leave(stream)
    stream.fail(error)
  }

  failAll(error: GatewayError): void {
    for (const stream of [...this.#streams]) this.fail(stream, error)
  }

  /** A connection that was not there in time says nothing to a request that came later: it has its own time. */
  failOverdue(error: GatewayError): void {
    const now = this.#deadlines.now()
    for (const stream of [...this.#streams]) {
      if (stream.deadline !== 0 && stream.deadline <= now) this.fail(stream, error)
    }
  }
}
