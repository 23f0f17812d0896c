import { createHash, createHmac, randomBytes } from 'node:crypto'
import type { Log, Shared } from '@gateway/core'
import { bucketWord, type Rate, takeFrom, windowWord } from './algorithms.ts'
import type { RedisOptions } from './options.ts'
import type { RateCheck } from './rate-table.ts'
import { RedisLink } from './redis-link.ts'
import { decisionScript } from './redis-script.ts'

export interface RemoteCheck extends RateCheck {
  readonly limit: RateCheck['limit'] & { readonly id: string }
}

/** Counters in a Redis or Valkey that several gateways share. */
export class RedisStore {
  readonly #prefix: string
  readonly #script: string
  readonly #scriptHash: string
  readonly #link: RedisLink
  /** The first try to connect has succeeded or failed. */
  readonly opened: Promise<void>

  /** @param meanwhile what the log says of limits while Redis is gone. */
  constructor(options: RedisOptions, log: Log, meanwhile: string, script = decisionScript) {
    this.#prefix = options.prefix
    this.#script = script
    this.#scriptHash = createHash('sha1').update(script).digest('hex')
    this.#link = new RedisLink(options, log, meanwhile, async send => {
      // All that a decision does, so that a replica or a user without the right to write does not count as good.
      const decision = ['EVALSHA', this.#scriptHash, '1', `${options.prefix}probe`, '1', '1', '0']
      await Promise.all([send(['SCRIPT', 'LOAD', script]), send(decision)])
    })
    this.opened = this.#link.open()
  }

  /** False: do not ask. */
  get ready(): boolean {
    return this.#link.ready
  }

  close(): void {
    this.#link.close()
  }

  /** Answers all checks, and takes what they cost when every one of them admits it. Undefined: Redis did not answer. */
  async decide(checks: readonly RemoteCheck[]): Promise<boolean | undefined> {
    const keys = checks.map(({ limit, key }) => this.#prefix + keyText(limit.id, key))
    const given = [String(keys.length), ...keys, ...checks.flatMap(scriptArguments)]
    let reply = await this.#link.send(['EVALSHA', this.#scriptHash, ...given])
    // Of a server that was restarted or told to forget its scripts.
    if (reply instanceof Error && reply.message.startsWith('NOSCRIPT')) {
      reply = await this.#link.send(['EVAL', this.#script, ...given])
    }
    if (isNumbers(reply)) return read(reply, checks)
    if (reply !== undefined) this.#link.fail(reply)
    return undefined
  }
}

/** One connection for all generations that want the same; known by a hash that nobody can guess a password from. */
export function sharedRedis(options: RedisOptions, log: Log, meanwhile: string): Shared<RedisStore> {
  const values = JSON.stringify([options, meanwhile, options.password?.value, options.tls?.key?.value])
  const { url, socket = url } = options
  return {
    name: `rateLimit.redis ${socket} ${createHmac('sha256', processKey).update(values).digest('base64url').slice(0, 16)}`,
    create: () => new RedisStore(options, log, meanwhile),
    close: store => store.close(),
  }
}

const processKey = randomBytes(32)

/** Clients choose some keys, header fields for one; Redis need not keep their novels. */
function keyText(id: string, key: string): string {
  return `${id}|${key.length <= 64 ? key : `#${createHash('sha256').update(key).digest('base64url')}`}`
}

function scriptArguments({ limit: { rate }, cost }: RateCheck): string[] {
  const { algorithm, limit, window, burst, interval } = rate
  return algorithm === 'tokenBucket'
    ? [String(Math.ceil(cost * interval)), String(burst * interval), '0']
    : [String(Math.ceil(cost)), String(limit), String(window)]
}

const isNumbers = (reply: unknown): reply is number[] =>
  Array.isArray(reply) && reply.every(item => typeof item === 'number')

/** The script says how each key stood before; what that means for the request is worked out as it is for memory. */
function read(reply: readonly number[], checks: readonly RateCheck[]): boolean {
  const admitted = reply[0] === 1
  const now = reply[1] ?? 0
  let at = 2
  for (const check of checks) {
    const { rate } = check.limit
    const numbers = rate.algorithm === 'tokenBucket' ? 1 : 3
    const word = wordOf(rate, reply.slice(at, at + numbers))
    at += numbers
    takeFrom(word, rate, now, check.cost, check)
    if (!admitted && check.admitted) takeFrom(word, rate, now, 0, check)
  }
  return admitted
}

function wordOf({ algorithm }: Rate, [first = 0, current = 0, former = 0]: readonly number[]): bigint {
  return algorithm === 'tokenBucket' ? bucketWord(first) : windowWord(first, current, former)
}
