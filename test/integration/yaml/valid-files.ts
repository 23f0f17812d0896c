import fc from 'fast-check'
import { gatewayTable } from '../../../plugins/yaml/src/sections/index.ts'
import type { Field, Fields, Leaf } from '../../../plugins/yaml/src/table/field.ts'

/** A value of a file; undefined: nothing is said. */
type Value = fc.Arbitrary<unknown>

/** Files that certificates stand in. */
export interface CertificateFiles {
  readonly cert: string
  readonly key: string
  readonly ca: string
}

/**
 * YAML configs made of the sections' own tables: whatever keys these have. What has to fit together, or stands for
 * something outside of the file, is said here by the key's place, or by its name.
 */
export function validFiles(certificates: CertificateFiles): fc.Arbitrary<{ readonly gateway: object }> {
  return fc.record({ gateway: objectOf(gatewayTable.keys, 'gateway', placesFor(certificates)) })
}

/** The value of a field at a place, or by its last key. */
type Places = Readonly<Record<string, (field: Field, places: Places) => Value>>

const servicesAt = 'gateway.registry.static.services'
const rulesAt = 'gateway.router.rules'
/** There in every file. */
const needed = new Set([
  'gateway.registry',
  'gateway.registry.static',
  'gateway.router',
  rulesAt,
  // Rules may ask who calls.
  'gateway.auth',
  'gateway.auth.jwt',
  'gateway.auth.jwt.enabled',
  'gateway.auth.jwt.issuer',
  'gateway.auth.jwt.jwksEndpoint',
  'provider.issuerUrl',
  'gateway.middleware.auth.oauth2.providers',
  'provider.jwksEndpoint',
  'gateway.management.port',
  'gateway.versioning.strategy',
  'gateway.versioning.defaultVersion',
])

const mostServices = 3

function placesFor({ cert, key, ca }: CertificateFiles): Places {
  const always = (value: unknown) => () => fc.constant(value)
  const tls = () =>
    fc.record({
      enabled: fc.boolean(),
      certFile: fc.constant(cert),
      keyFile: fc.constant(key),
      minVersion: fc.constantFrom('1.2', '1.3', undefined),
    })
  return {
    'gateway.frontend.http.port': () => fc.integer({ min: 1024, max: 30_000 }),
    'gateway.frontend.websocket.port': () => fc.integer({ min: 31_000, max: 60_000 }),
    'gateway.management.port': () => fc.integer({ min: 61_000, max: 65_000 }),
    'gateway.management.basePath': always('/management'),
    'gateway.frontend.http.tls': tls,
    'gateway.frontend.websocket.tls': tls,
    'gateway.plugins': () => fc.constantFrom(undefined, [], ['@gateway/access']),
    // Others look for services elsewhere, and want `static` to be absent.
    'gateway.registry.type': always('static'),
    [servicesAt]: (field, places) => {
      const service = itemOf(field, `${servicesAt}[]`, places)
      return fc
        .array(service, { minLength: mostServices, maxLength: mostServices })
        .map(services => services.map((given, index) => ({ ...Object(given), name: `service-${index}` })))
    },
    [`${servicesAt}[].type`]: () => fc.constantFrom('http', 'grpc'),
    [`${servicesAt}[].instances`]: (field, places) =>
      fc.array(itemOf(field, 'instance', places), { minLength: 1, maxLength: 3 }),
    'instance.address': () => fc.constantFrom('127.0.0.1', '::1', 'users.internal'),
    [rulesAt]: (field, places) => {
      const rest = fc.constantFrom('', '/*', '/', '/:id', '/:id/items', '/{id}/*', '/{rest...}')
      const rule = fc.record({ given: itemOf(field, 'rule', places), rest, service: fc.nat(mostServices - 1) })
      return fc.array(rule, { minLength: 1, maxLength: 5 }).map(rules =>
        rules.map(({ given, rest, service }, index) => ({
          ...Object(given),
          id: `rule-${index}`,
          path: `/r${index}${rest}`,
          serviceName: `service-${service}`,
        })),
      )
    },
    'rule.methods': () => fc.subarray(['GET', 'POST', 'get', 'PUT', 'SSE', 'WEBSOCKET', 'DELETE']),
    'rule.stripPrefix': () => fc.constantFrom('true', undefined),
    'rule.rateLimitStorage': always('default'),
    'gateway.rateLimitStorage.default': always('default'),
    'gateway.auth.providers': always(['jwt', 'apikey']),
    'gateway.auth.apikey.hashKeys': always(false),
    'gateway.auth.jwt.enabled': always(true),
    'gateway.auth.jwt.issuer': always('https://own.example'),
    maxAttempts: () => fc.integer({ min: 0, max: 5 }),
    permissions: () => fc.subarray(['/orders/*:read', 'users:write']),
    'gateway.auth.jwt.signingMethod': () => fc.constantFrom('RS256', 'ES256'),
    'gateway.middleware.auth.oauth2.providers': (field, places) =>
      fc.array(itemOf(field, 'provider', places), { minLength: 1, maxLength: 1 }),
    operations: () =>
      fc.subarray([
        { type: 'add', path: 'user.plan', value: 'free' },
        { type: 'modify', path: 'total', value: 0 },
        { type: 'remove', path: 'user.password' },
        { type: 'rename', from: 'user_name', to: 'name' },
      ]),
    conditions: () => fc.subarray([{ method: 'POST' }, { contentType: 'application/json' }]),
    'gateway.versioning.defaultVersion': () => fc.constantFrom('1', '2.0'),
    'gateway.versioning.versionMappings.*.service': () => fc.constantFrom('service-0', 'service-1', undefined),
    acceptPattern: always('v=(\\d+)'),
    versionHeader: always('X-Version'),
    deprecationDate: always('2026-01-01T00:00:00Z'),
    sunsetDate: always('2031-01-01T00:00:00Z'),
    removalDate: always('2031-02-01T00:00:00Z'),
    // Documents are files of their own.
    specsDirectory: always(undefined),
    specFiles: always(undefined),
    specDirs: always(undefined),
    skipPaths: () => fc.subarray(['/public', '/r0']),
    publicKey: always(undefined),
    publicKeyFile: always(undefined),
    useDiscovery: always(undefined),
    issuerUrl: always('https://id.example'),
    jwksEndpoint: always('https://id.example/jwks'),
    discoveryUrl: always('https://id.example/metadata'),
    expiresAt: always('2031-01-01T00:00:00Z'),
    healthPath: always('/healthz'),
    livePath: always('/livez'),
    readyPath: always('/readyz'),
    certFile: always(cert),
    keyFile: always(key),
    clientCertFile: always(cert),
    clientKeyFile: always(key),
    rootCAFile: always(ca),
    caFile: always(ca),
    host: () => fc.constantFrom('127.0.0.1', '0.0.0.0', '::1'),
    allowedOrigins: () => fc.subarray(['https://a.example', 'https://b.example:8443', '*']),
    cookieName: () => fc.constantFrom('SESSION', 'a_b'),
    headerName: () => fc.constantFrom('X-Session', 'X-User-Id'),
    serverName: always('users.internal'),
    subprotocols: () => fc.subarray(['chat.v1', 'chat.v2']),
  }
}

/** What may stand at a place that has a field. */
function arbitraryOf(field: Field, place: string, places: Places): Value {
  const special = places[place] ?? places[place.slice(place.lastIndexOf('.') + 1)]
  if (special !== undefined) return special(field, places)
  if (field.kind === 'leaf') return leafOf(field)
  if (field.kind === 'table') return objectOf(field.keys, place, places)
  if (field.kind === 'list') return fc.array(itemOf(field, `${place}[]`, places), { maxLength: 2 })
  if (field.kind === 'map') return fc.dictionary(word, arbitraryOf(field.item, `${place}.*`, places), { maxKeys: 2 })
  // Whose form only somebody else knows.
  if (field.kind === 'anything') return fc.constant(undefined)
  const forms = [field.scalar, field.mapping, field.list].filter(form => form !== undefined)
  return fc.oneof(...forms.map(form => arbitraryOf(form, place, places)))
}

function itemOf(field: Field, place: string, places: Places): Value {
  if (field.kind !== 'list') throw new Error(`${place} is no list any more`)
  return arbitraryOf(field.item, place, places)
}

function objectOf(keys: Fields, place: string, places: Places): fc.Arbitrary<object> {
  const entries = Object.entries(keys).map(([key, field]) => {
    const value = arbitraryOf(field, `${place}.${key}`, places)
    const isNeeded = field.required === true || needed.has(`${place}.${key}`)
    return [key, isNeeded ? value : fc.option(value, { nil: undefined })] as const
  })
  return fc.record(Object.fromEntries(entries))
}

// Made once: it is slow.
const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/)

function leafOf({ type, oneOf, min, max }: Leaf<unknown>): Value {
  if (oneOf !== undefined) return fc.constantFrom(...oneOf)
  const integer = fc.integer({ min: min ?? 1, max: Math.min(max ?? 60, 60_000) })
  const values: Record<Leaf<unknown>['type'], () => Value> = {
    text: () => word,
    integer: () => integer,
    number: () => fc.oneof(integer, fc.constantFrom(...[0.5, 1.25].filter(value => value <= (max ?? 2)))),
    flag: () => fc.boolean(),
    texts: () => fc.array(word, { maxLength: 3 }),
    integers: () => fc.array(integer, { maxLength: 3 }),
  }
  const value = values[type]()
  return fc.oneof({ weight: 5, arbitrary: value }, { weight: 1, arbitrary: value.map(asReference) })
}

/** The same value, from a variable that is not set. */
function asReference(value: unknown): unknown {
  return typeof value === 'object' ? value : `\${GENERATED:-${value}}`
}
