import type { Builder } from '../build/builder.ts'
import { secretText } from '../build/secret-text.ts'
import { call, type Input } from '../ir/make-ir.ts'
import { anything, flag, type GivenOf, mapOf, node, table, text, texts } from '../table/field.ts'

const keyTable = table({
  key: text({ says: 'The key, or by hashKeys its SHA-256 in hexadecimal digits.', required: true }),
  subject: text({ says: 'Who it stands for; default: its id.' }),
  type: text({ noEffect: 'who calls is told by subject and scopes', quiet: true }),
  scopes: texts({ says: 'What it may do.' }),
  expiresAt: text({ says: 'When it ends, RFC 3339; default: never.' }),
  metadata: anything({ says: 'Becomes claims.' }),
  disabled: flag({ says: 'Whether it is refused.', default: false }),
})

export const apiKeyTable = table({
  enabled: flag({ says: 'Whether API keys are taken.', default: false }),
  hashKeys: flag({ says: 'Whether keys stand here as their SHA-256.', default: false }),
  defaultScopes: texts({ says: 'Scopes of every key.' }),
  headerName: text({ says: 'The field with the key.', default: 'X-API-Key' }),
  header: text({ says: 'Another name of headerName.' }),
  queryParam: text({ says: 'A parameter with the key, where the field is not there.' }),
  query: text({ says: 'Another name of queryParam.' }),
  cookie: text({ says: 'A cookie with the key, where the others are not there.' }),
  scheme: text({ says: 'Takes `Authorization: <scheme> <key>`, too.' }),
  hashAlgorithm: text({ says: 'The hash of hashKeys.', default: 'sha256', oneOf: ['sha256'] }),
  keysFile: text({ noEffect: 'keys stand under "keys", and can come from the environment by references' }),
  keys: mapOf(keyTable, { says: 'By id.' }),
})

/** `apiKeys` of the plugin auth; undefined: there is no key, so none is taken. */
export function apiKeysOf(given: GivenOf<typeof apiKeyTable>, gateway: Builder): Input {
  const hashed = given.hashKeys?.value === true
  const keys = Object.fromEntries([...(given.keys ?? [])].map(([id, key]) => [id, holderOf(key, hashed, gateway)]))
  if (Object.keys(keys).length === 0) {
    gateway.problems.warning(given[node], 'is enabled and has no keys: none is taken', { code: 'CONFIG_MISSING_KEY' })
    return undefined
  }
  const query = given.queryParam ?? given.query
  return {
    header: given.headerName?.value ? given.headerName : given.header,
    scheme: given.scheme?.value ? given.scheme : undefined,
    query: query?.value ? query : undefined,
    cookie: given.cookie?.value ? given.cookie : undefined,
    scopes: given.defaultScopes,
    keys,
  }
}

function holderOf(given: GivenOf<typeof keyTable>, hashed: boolean, { problems }: Builder): Input {
  const { key, subject, scopes, expiresAt, metadata, disabled } = given
  if (hashed && key !== undefined && !/^[\da-f]{64}$/i.test(key.value)) {
    problems.error(key, 'must be a SHA-256 in 64 hexadecimal digits, as hashKeys says', {
      hint: "made by: printf %s 'the key' | sha256sum",
    })
  }
  if (key?.value === '') problems.error(key, 'must not be empty')
  const hash = hashed
    ? key?.map(digits => `sha256:${digits}`)
    : key && call('@gateway/yaml', 'keyHash', [secretText(key)], key.node)
  return {
    hash,
    subject: subject?.value ? subject : undefined,
    scopes,
    expiresAt: expiresAt?.value ? expiresAt : undefined,
    metadata,
    disabled,
  }
}
