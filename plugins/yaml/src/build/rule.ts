import type { IrSpot } from '../ir/ir.ts'
import type { Balancing } from '../rules/balance.ts'
import type { Draft } from './draft.ts'
import { Group } from './group.ts'

/** What a rule asks for. */
export interface Asked {
  /** Path patterns of the gateway. */
  readonly paths: readonly string[]
  /** Undefined: any. */
  readonly methods: readonly string[] | undefined
  /** The name of its service in the registry. */
  readonly service: string
  /** It says of itself that it is for event streams, or for WebSockets. */
  readonly isFor: 'events' | 'websockets' | undefined
}

/** A rule of the router; its members are routes. */
export class Rule extends Group {
  readonly asked: Asked

  constructor(name: string, at: IrSpot, asked: Asked) {
    super(name, at)
    this.asked = asked
  }

  /** Its routes by name, with the path of each: those of its own, before features added others. */
  readonly routes = new Map<string, string>()

  /** How it has its service balanced. */
  balancing: Balancing = { balance: undefined, sticky: undefined }

  /** Another route for some of what one takes: it says the same, but for `match` and `methods`. */
  variant(of: string, name: string): Draft {
    const { kind, entries } = this.member(of).toIr()
    const made = this.member(name)
    made.take({ kind, entries: new Map([...entries].filter(([key]) => key !== 'match' && key !== 'methods')) })
    return made
  }

  takes(method: string): boolean {
    return this.asked.methods?.includes(method) ?? true
  }
}
