import { duration, fieldName, secretText, size, token } from '@gateway/core'
import * as z from 'zod'
import type { Identity } from './contract.ts'
import { parseHash } from './hashes.ts'
import { endpoint, issuerSchema, onlyHttps, onlyHttpsError } from './options-jwt.ts'

const text = z.string().min(1)
const word = token('must be one word')

const methods = z.array(z.literal(['jwt', 'introspection', 'apiKey', 'basic', 'certificate', 'forward'])).min(1)

const holder = z.strictObject({
  /** SHA-256 of the credential (`sha256:` and hexadecimal digits), or scrypt (`$scrypt$…`). */
  hash: text.refine(value => parseHash(value) !== undefined, {
    error: "must be 'sha256:' and 64 hexadecimal digits, or '$scrypt$ln=…,r=…,p=…$salt$hash'",
  }),
  /** Who it stands for. Default: the name under which it stands. */
  subject: text.optional(),
  scopes: z.array(text).default([]),
  roles: z.array(text).default([]),
  /** RFC 3339. Default: never. */
  expiresAt: z.iso
    .datetime({ offset: true })
    .transform(value => Date.parse(value))
    .optional(),
  disabled: z.boolean().default(false),
  /** Becomes claims. */
  metadata: z.record(z.string(), z.unknown()).default({}),
})
export type Holder = z.output<typeof holder>

const holders = z.record(text, holder)
/** What a file of API keys holds. */
export const holdersSchema = holders

const apiKeys = z
  .strictObject({
    /** Default X-API-Key; `false`: none. */
    header: z.union([z.literal(false), fieldName()]).default('X-API-Key'),
    /** Accepts `Authorization: <scheme> <key>`, too. */
    scheme: word.optional(),
    cookie: word.optional(),
    /** A key in a URL stands in many logs. */
    query: text.optional(),
    /** Scopes of every key. */
    scopes: z.array(text).default([]),
    /** By name. */
    keys: holders.default({}),
    /** JSON as in `keys`, looked at every second. */
    file: text.optional(),
  })
  .refine(({ keys, file }) => file !== undefined || Object.keys(keys).length > 0, {
    error: 'has neither keys nor file',
  })

const basic = z.strictObject({
  /** By user name; the hashes have to be scrypt. */
  users: z
    .record(
      text.refine(name => !name.includes(':'), { error: 'cannot hold a colon' }),
      holder.refine(({ hash }) => hash.startsWith('$scrypt$'), {
        error: 'must be scrypt: a password is too short for a fast hash',
        path: ['hash'],
      }),
    )
    .refine(users => Object.keys(users).length > 0, { error: 'has no user' }),
})

const introspection = z
  .strictObject({
    /** The endpoint (RFC 7662). */
    url: endpoint,
    clientId: text,
    clientSecret: secretText(),
    issuer: text.optional(),
    audience: z
      .union([text, z.array(text).min(1)])
      .transform(value => (typeof value === 'string' ? [value] : value))
      .optional(),
    /** Default sub. */
    subjectClaim: text.default('sub'),
    scopeClaim: text.default('scope'),
    rolesClaim: text.default('roles'),
    /** How long a token counts as active without being asked about again. Default 1m. */
    cacheFor: duration().prefault('1m'),
    /** Likewise as not active. Default 10s. */
    inactiveFor: duration().prefault('10s'),
    timeout: duration().prefault('5s'),
    cacheSize: z.int().min(0).default(10_000),
    allowHttp: z.boolean().default(false),
  })
  .refine(options => onlyHttps(options, [options.url]), { error: onlyHttpsError, path: ['url'] })
export type IntrospectionOptions = z.output<typeof introspection>

const certificate = z.strictObject({
  /** What of it says who calls. Default subject. */
  id: z.literal(['subject', 'commonName', 'dns', 'email', 'uri', 'fingerprint']).default('subject'),
  /** The only ones that may call; `*` at the end stands for anything. Default: all that the listener let in. */
  allow: z.array(text).optional(),
  scopes: z.array(text).default([]),
})
export type CertificateOptions = z.output<typeof certificate>

const forward = z
  .strictObject({
    /** Asked by GET about each request; 2xx lets it pass. */
    url: endpoint,
    /** Fields of the request that it is shown. Default Authorization and Cookie. */
    headers: z.array(fieldName()).min(1).default(['Authorization', 'Cookie']),
    /** The field of its answer that says who calls. */
    id: fieldName(),
    /** Fields of its answer with words. */
    scopes: fieldName().optional(),
    roles: fieldName().optional(),
    /** Claim to field of its answer. */
    claims: z.record(text, fieldName()).default({}),
    /** Its redirects are passed on, such as to a login page; it is asked without credentials as well. Default false. */
    redirects: z.boolean().default(false),
    timeout: duration().prefault('5s'),
    allowHttp: z.boolean().default(false),
  })
  .refine(options => onlyHttps(options, [options.url]), { error: onlyHttpsError, path: ['url'] })
export type ForwardOptions = z.output<typeof forward>

const rbac = z.strictObject({
  /** By name. */
  roles: z.record(
    text,
    z.strictObject({
      /** `resource:action`; `*` for either, or at the end of a resource. */
      permissions: z.array(z.string().regex(/.:./, { error: "must be 'resource:action'" })).default([]),
      /** Roles whose permissions it has as well. */
      inherits: z.array(text).default([]),
    }),
  ),
  /** Who has which roles, beside those that credentials bring: identity to roles. */
  bindings: z.record(text, z.array(text)).default({}),
  /**
   * Whether each request has to be permitted as `<path>:<action>`, the action being read, create, update, delete by its
   * method; `report` only logs. Default false.
   */
  requests: z.literal([false, 'enforce', 'report']).default(false),
})
export type RbacOptions = z.output<typeof rbac>

const scalar = z.union([z.string(), z.number(), z.boolean()])

const routeSchema = z.strictObject({
  /** All of them. */
  scopes: z.array(text).optional(),
  /** One of them. */
  roles: z.array(text).min(1).optional(),
  /** All of them, of roles: `orders:read`. */
  permissions: z.array(z.string().regex(/.:./, { error: "must be 'resource:action'" })).optional(),
  /** Claim, or path of one, to its value, or values of which one will do; `true`: any but false. */
  claims: z.record(text, z.union([scalar, z.array(scalar).min(1)])).optional(),
  /**
   * The only methods, in the order in which they look for credentials. Default: jwt, introspection, apiKey, basic,
   * certificate, forward.
   */
  methods: methods.optional(),
  /** A request without credentials passes; `lenient`: one with bad ones as well, as if it had none. */
  optional: z.union([z.boolean(), z.literal('lenient')]).optional(),
})
export type RouteRules = z.output<typeof routeSchema>
export const routeOptionsSchema = z.union([z.literal(false), routeSchema])

// Those of the wire, and those in which credentials come.
const taken = /^(host|connection|content-length|transfer-encoding|upgrade|keep-alive|te|trailer|authorization|cookie)$/i

/** What an upstream is told: a claim or its path, `id`, `method`, `scopes`, `roles`, or what a function makes of all. */
const forwarded = z.union([text, z.custom<(identity: Identity) => string | undefined>(f => typeof f === 'function')], {
  error: 'must be the name of a claim or a function',
})

export const authSchema = z
  .strictObject({
    /** JSON Web Tokens, of one issuer or of several. */
    jwt: z
      .union([issuerSchema, z.array(issuerSchema).min(1)])
      .transform(value => (Array.isArray(value) ? value : [value]))
      .optional(),
    /** OAuth 2.0 Token Introspection (RFC 7662). */
    introspection: introspection.optional(),
    apiKeys: apiKeys.optional(),
    basic: basic.optional(),
    /** The certificate of a client (mTLS), which the listener asks for. */
    certificate: z.union([z.literal(true).transform(() => certificate.parse({})), certificate]).optional(),
    /** Another service decides. */
    forward: forward.optional(),
    /** Where bearer tokens are: for jwt and introspection. */
    token: z
      .strictObject({
        /** Default Authorization. */
        header: fieldName().default('Authorization'),
        /** Default Bearer; `''`: the field holds the token alone. */
        scheme: z.union([z.literal(''), word]).default('Bearer'),
        cookie: word.optional(),
        query: text.optional(),
        /** Default 8kb. */
        maxSize: size().prefault('8kb'),
      })
      .prefault({}),
    /** Told with WWW-Authenticate. Default gateway. */
    realm: z
      .string()
      .regex(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/, { error: 'must be plain text without quotes' })
      .default('gateway'),
    /** What a route asks that does not say otherwise; `false`: nothing. Default `{}`: credentials. */
    default: routeOptionsSchema.prefault({}),
    /** Roles and what they permit. */
    rbac: rbac.optional(),
    /** Field to claim: what upstreams are told. Clients' own fields of these names never pass. */
    forwardHeaders: z
      .record(
        fieldName()
          .refine(name => (name.match(/[-_]/g)?.length ?? 0) <= 4, { error: 'has more than four dashes' })
          .refine(name => !taken.test(name), { error: 'is not free for this: choose a name such as X-User-Id' }),
        forwarded,
      )
      .default({}),
  })
  .superRefine(({ jwt, introspection, apiKeys, basic, certificate, forward, token }, context) => {
    // What is wrong with a part has left it untransformed.
    if (context.issues.length > 0) return
    const complain = (message: string, ...path: (string | number)[]) =>
      context.addIssue({ code: 'custom', message, path })
    if ((jwt ?? introspection ?? apiKeys ?? basic ?? certificate ?? forward) === undefined) {
      complain('has no way to authenticate: give jwt, introspection, apiKeys, basic, certificate or forward')
    }
    const sameScheme = apiKeys?.scheme?.toLowerCase() === token.scheme.toLowerCase()
    if (introspection !== undefined && sameScheme)
      complain('is the one of tokens for introspection', 'apiKeys', 'scheme')
    const names = new Set<string>()
    for (const [index, { issuer }] of (jwt ?? []).entries()) {
      if (jwt?.length !== 1 && issuer === undefined)
        complain('is needed where there are several', 'jwt', index, 'issuer')
      for (const name of issuer ?? []) {
        if (names.has(name)) complain(`${JSON.stringify(name)} stands twice`, 'jwt', index, 'issuer')
        names.add(name)
      }
    }
  })

export type AuthOptions = z.output<typeof authSchema>
