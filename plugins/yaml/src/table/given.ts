import type { Node, Spot } from '../read/node.ts'

/** A value of the file that has been checked, and where it stands. */
export class Given<T> implements Spot {
  readonly value: T
  readonly node: Node

  constructor(value: T, node: Node) {
    this.value = value
    this.node = node
  }

  get source(): Spot['source'] {
    return this.node.source
  }

  get offset(): number {
    return this.node.offset
  }

  get variable(): string | undefined {
    return this.node.variable
  }

  /** Another value for the same place: `ttl.map(seconds => `${seconds}s`)`. */
  map<U>(change: (value: T) => U): Given<U> {
    return new Given(change(this.value), this.node)
  }
}
