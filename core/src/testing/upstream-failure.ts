/** Thrown by a fake upstream that fails on purpose. */
export class UpstreamFailure extends Error {
  readonly kind: 'refuse' | 'unreachable' | 'reset'

  constructor(kind: UpstreamFailure['kind']) {
    super(`a fake upstream plays "${kind}"`)
    this.kind = kind
  }
}

/** An upstream that refuses the connection; or, called by one before it waits for anything, refuses this one. */
export function refuse(): never {
  throw new UpstreamFailure('refuse')
}

/** An upstream to which no connection comes about, until `timeout.connect`; called by one, as {@link refuse}. */
export function unreachable(): never {
  throw new UpstreamFailure('unreachable')
}

/**
 * An upstream that closes the connection in place of an answer. Called by one, likewise; called within a response's body,
 * it cuts that off.
 */
export function reset(): never {
  throw new UpstreamFailure('reset')
}

/** An upstream that takes the request and does not answer, until `timeout.head`. */
export function hang(): Promise<never> {
  return new Promise(() => {})
}
