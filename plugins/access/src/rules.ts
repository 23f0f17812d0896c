import { cidr, duration, fieldName, size } from '@gateway/core'
import * as z from 'zod'

const method = z.string().regex(/^[A-Z][A-Z0-9-]*$/, { error: 'must be a method in capital letters, such as PUT' })
const mediaType = z.string().regex(/^[a-z0-9!#$&^_.+-]+\/(?:\*|[a-z0-9!#$&^_.+-]+|\*\+[a-z0-9!#$&^_.-]+)$/, {
  error: "must be a media type in lower case, such as 'application/json', 'image/*' or 'application/*+json'",
})
const fieldValue = z.string().regex(/^[\t\x20-\x7e\x80-\xff]+$/, { error: 'must be text that a header field can hold' })

/** A field of each answer: its value, or `false` to leave it out. */
const field = (value: string) => z.union([z.literal(false), fieldValue]).default(value)

const securityHeaders = z.strictObject({
  /** Strict-Transport-Security's max-age, told over TLS alone; `false` or 0 to leave it out. Default 180d. */
  hsts: z.union([z.literal(false), duration()]).prefault('180d'),
  /** X-Content-Type-Options. Default `nosniff`. */
  contentTypeOptions: field('nosniff'),
  /** X-Frame-Options. Default `DENY`. */
  frameOptions: field('DENY'),
  /** Referrer-Policy. Default `no-referrer`. */
  referrerPolicy: field('no-referrer'),
  /** Content-Security-Policy. Default: none. */
  contentSecurityPolicy: fieldValue.optional(),
  /** Permissions-Policy. Default: none. */
  permissionsPolicy: fieldValue.optional(),
  /** Cross-Origin-Opener-Policy. Default: none. */
  openerPolicy: fieldValue.optional(),
  /** Cross-Origin-Resource-Policy. Default: none. */
  resourcePolicy: fieldValue.optional(),
})

/** What a gateway or a route asks of requests, and adds to answers. */
export const rulesSchema = z.strictObject({
  /** Addresses and CIDRs of the only clients that may call; `deny` goes before. Default: all. */
  allow: z.array(cidr()).optional(),
  /** Addresses and CIDRs of clients that may not call. */
  deny: z.array(cidr()).optional(),
  /** The only methods; HEAD goes with GET. Default: those of the route. */
  methods: z.array(method).optional(),
  /** The only media types of a request's body: `'application/json'`, `'image/*'`, `'application/*+json'`. */
  contentTypes: z.array(mediaType).optional(),
  /** Bytes of a request's body. Default: the listener's limit. */
  maxBodySize: size().optional(),
  /** Fields that a request has to have, with a value that is not empty. */
  requiredHeaders: z.array(fieldName()).optional(),
  /** Fields that tell browsers to be careful, where the upstream did not set them. `true`: all with their defaults. */
  securityHeaders: z
    .union([z.boolean(), securityHeaders], { error: 'must be true, false or an object' })
    .transform(value => (value === true ? securityHeaders.parse({}) : value))
    .optional(),
  /** Fields of an upstream's answer that go no further, such as `'Server'` and `'X-Powered-By'`. */
  hideHeaders: z.array(fieldName()).optional(),
})

export type Rules = z.output<typeof rulesSchema>
export type SecurityHeaders = z.output<typeof securityHeaders>
