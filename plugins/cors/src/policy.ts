import { duration, fieldName, token } from '@gateway/core'
import * as z from 'zod'
import { compileOrigins, faultOfOrigin, type OriginTest } from './origins.ts'

const method = token('must be a method such as PUT')

const originRule = z.union(
  [
    z.string().superRefine((rule, issue) => {
      const fault = faultOfOrigin(rule)
      if (fault !== undefined) issue.addIssue(fault)
    }),
    z.instanceof(RegExp),
    z.custom<(origin: string) => boolean>(value => typeof value === 'function'),
  ],
  { error: issue => describeOrigin(issue.input) },
)

function describeOrigin(input: unknown): string {
  const fault = typeof input === 'string' ? faultOfOrigin(input) : undefined
  return fault ?? 'must be an origin, a regular expression or a function'
}

const shape = {
  /**
   * Whose pages may read the answers: `'*'`, or a list of origins (`'https://app.example'`), patterns
   * (`'https://*.example.com'`, `'http://localhost:*'`), expressions that have to match the whole origin, and functions.
   */
  origins: z.union([z.literal('*'), z.array(originRule)], { error: "must be '*' or an array of origins" }),
  /** Methods beyond those that need no preflight. Default: those that have a route. */
  methods: z.array(method).optional(),
  /** Request fields beyond the safe ones. Default `'*'`: whichever the page asks for. */
  headers: z.union([z.literal('*'), z.array(fieldName())]).default('*'),
  /** Response fields that the page may read beside the safe ones. */
  exposedHeaders: z.array(fieldName()).default([]),
  /** Cookies, client certificates and Authorization may go along. Not with `origins: '*'`. Default false. */
  credentials: z.boolean().default(false),
  /** How long a browser may keep the answer to a preflight. Default 10m; browsers have caps of their own. */
  maxAge: duration().prefault('10m'),
  /** Pages of public networks may reach this gateway in a private one. Default false. */
  privateNetwork: z.boolean().default(false),
}

/** A gateway's policy, or a route's. */
export const policySchema = z.strictObject(shape).superRefine(({ origins, credentials }, issue) => {
  if (origins !== '*' || !credentials) return
  issue.addIssue({
    code: 'custom',
    path: ['credentials'],
    message: "cannot go with origins: '*': any page could then act in a user's name; list the origins",
  })
})

export type PolicyOptions = z.output<typeof policySchema>

/** A policy made ready: what does not change is text by now. */
export interface Policy {
  /** Undefined: everybody, without credentials. */
  readonly allows: OriginTest | undefined
  /** Undefined: the one that is asked for. */
  readonly methods: string | undefined
  /** Undefined: those that are asked for. */
  readonly headers: string | undefined
  readonly exposedHeaders: string
  readonly credentials: boolean
  readonly maxAgeSeconds: string
  readonly privateNetwork: boolean
}

export function compilePolicy(options: PolicyOptions): Policy {
  const { origins, methods, headers, exposedHeaders, credentials, maxAge, privateNetwork } = options
  return {
    allows: origins === '*' ? undefined : compileOrigins(origins),
    methods: methods?.join(', '),
    headers: headers === '*' ? undefined : headers.join(', '),
    exposedHeaders: exposedHeaders.join(', '),
    credentials,
    maxAgeSeconds: String(Math.floor(maxAge / 1000)),
    privateNetwork,
  }
}
