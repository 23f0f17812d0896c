import type { Awaitable, Context, Host, Reply } from '@gateway/core'
import type { Identity } from './contract.ts'

/** Credentials that do not hold, or that cannot be judged now. */
export class Refusal {
  /** 401: they do not hold; 403: they do, and do not suffice; 503: whoever has to be asked does not answer. */
  readonly status: 401 | 403 | 503
  /** For the log alone. */
  readonly reason: string
  /** For WWW-Authenticate, in place of the method's own. */
  readonly challenge: string | undefined
  /** In place of the plugin's own answer. */
  readonly reply: Reply | undefined

  constructor(status: 401 | 403 | 503, reason: string, answer: { challenge?: string | undefined; reply?: Reply } = {}) {
    this.status = status
    this.reason = reason
    this.challenge = answer.challenge
    this.reply = answer.reply
  }
}

export type Verdict = Identity | Refusal

export type MethodName = Identity['method']

/** What methods need of the host. */
export type MethodHost = Pick<Host, 'log' | 'clock' | 'share'>

/** One way to prove who calls. */
export interface Method {
  readonly name: MethodName
  /** For WWW-Authenticate. */
  readonly scheme: string
  /** Its credentials are bearer tokens, with the error codes of RFC 6750 section 3.1. */
  readonly bearer?: true
  /** The credentials of this kind that a request carries. */
  find(ctx: Context): string | undefined
  verify(credentials: string, ctx: Context): Awaitable<Verdict>
}
