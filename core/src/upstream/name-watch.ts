import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'

/**
 * What a host's name stands for. No connection is opened by an old answer: each asks anew, and they go to the addresses in
 * turn. Since connections that are kept ask nothing, traffic on them has the name looked up every `interval` milliseconds
 * (0: never), and those to addresses that the name has lost are told of.
 */
export class NameWatch {
  /**
   * After each such look-up: whether any answer since the one before it had an address. A single answer says too little:
   * some name servers give a few addresses of many, others each time.
   */
  onChecked: (stands: (address: string | undefined) => boolean) => void = () => {}
  readonly #host: string
  readonly #ask: LookupFunction
  readonly #interval: number
  /** Addresses of all answers since the last check. */
  #recent = new Set<string | undefined>()
  #dueAt = Infinity
  #turn = 0

  constructor(host: string, ask: LookupFunction | undefined, interval: number) {
    this.#host = host
    this.#ask = ask ?? systemLookup
    this.#interval = interval
  }

  /** For node:net, which asks for all addresses. */
  readonly lookup: LookupFunction = (host, options, done) => {
    if (this.#dueAt === Infinity && this.#interval > 0) this.#dueAt = performance.now() + this.#interval
    this.#ask(host, options, (error, answer, family) => {
      if (error !== null) return done(error, answer, family)
      const found = typeof answer === 'string' ? [{ address: answer, family: family ?? isIP(answer) }] : answer
      for (const { address } of found) this.#recent.add(address)
      done(null, inTurn(found, this.#turn++))
    })
  }

  /** Looks the name up when that is due. */
  check(now: number): void {
    if (now < this.#dueAt) return
    this.#dueAt = now + this.#interval
    const before = this.#recent
    this.#recent = new Set()
    this.lookup(this.#host, { all: true }, error => {
      // A name that cannot be looked up now has lost nothing.
      if (error === null) this.onChecked(address => before.has(address) || this.#recent.has(address))
      else for (const address of before) this.#recent.add(address)
    })
  }
}

/** Addresses of the family that the system prefers (RFC 6724) stay in front, and of each another one begins each time. */
function inTurn(addresses: readonly LookupAddress[], turn: number): LookupAddress[] {
  const preferred = addresses[0]?.family
  const rotated = (list: readonly LookupAddress[]) => {
    const start = list.length === 0 ? 0 : turn % list.length
    return [...list.slice(start), ...list.slice(0, start)]
  }
  return [
    ...rotated(addresses.filter(({ family }) => family === preferred)),
    ...rotated(addresses.filter(({ family }) => family !== preferred)),
  ]
}
