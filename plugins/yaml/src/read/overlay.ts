import { suggest } from '@gateway/core'
import type { Field, Fields, Leaf, Table } from '../table/field.ts'
import { isNull, type Mapping, type Node, type Scalar } from './node.ts'
import type { Reading } from './parse.ts'

const prefix = 'GATEWAY_GATEWAY_'

interface Setting {
  readonly path: readonly string[]
  readonly leaf: Leaf<unknown>
}

/**
 * The environment's say in a file: `GATEWAY_GATEWAY_FRONTEND_HTTP_PORT` is `gateway.frontend.http.port` and wins. Lists of
 * texts are separated by commas; what is in lists and maps of the file has no name.
 */
export function overlay(gateway: Mapping, fields: Table<Fields>, names: Iterable<string>, reading: Reading): Mapping {
  const settings = new Map(settingsOf(fields, []))
  let result = gateway
  for (const name of names) {
    if (!isOverlay(name)) continue
    const text = reading.variable(name)
    if (text === undefined) continue
    const setting = settings.get(name)
    const at = { source: gateway.source, offset: gateway.offset, variable: name }
    if (setting === undefined) {
      const near = suggest(name, settings.keys())
      reading.problems.warning(at, 'sets nothing that there is', {
        code: 'CONFIG_UNKNOWN_KEY',
        ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
      })
    } else result = withValue(result, setting.path, nodeOf(text, setting.leaf, at))
  }
  return result
}

function* settingsOf(field: Field, path: readonly string[]): Generator<[string, Setting]> {
  if (field.kind === 'leaf') yield [prefix + path.join('_').toUpperCase(), { path, leaf: field }]
  else if (field.kind === 'table')
    for (const [key, inner] of Object.entries(field.keys)) yield* settingsOf(inner, [...path, key])
  else if (field.kind === 'either' && field.scalar !== undefined) yield* settingsOf(field.scalar, path)
}

function nodeOf(
  text: string,
  { type }: Leaf<unknown>,
  at: Pick<Scalar, 'source' | 'offset'> & { readonly variable: string },
): Node {
  const references = [{ name: at.variable, fallback: undefined }]
  const scalar = (part: string): Scalar => ({ kind: 'scalar', ...at, text: part, plain: type !== 'text', references })
  if (type === 'texts' || type === 'integers')
    return { kind: 'sequence', ...at, items: text.split(',').map(part => scalar(part.trim())) }
  // As Go's ParseBool reads them.
  return scalar(type === 'flag' ? text.replace(/^(?:1|t|T)$/, 'true').replace(/^(?:0|f|F)$/, 'false') : text)
}

function withValue(mapping: Mapping, [key = '', ...rest]: readonly string[], value: Node): Mapping {
  const known = mapping.entries.get(key)
  const inner = known?.value
  const base: Mapping =
    inner?.kind === 'mapping'
      ? inner
      : { kind: 'mapping', source: value.source, offset: value.offset, variable: value.variable, entries: new Map() }
  // A section that is no mapping is a mistake that is told of, and stays.
  if (rest.length > 0 && inner !== undefined && inner.kind !== 'mapping' && !isNull(inner)) return mapping
  const entry = { key: known?.key ?? value, value: rest.length === 0 ? value : withValue(base, rest, value) }
  return { ...mapping, entries: new Map(mapping.entries).set(key, entry) }
}

/** Whether a variable of this name has a say in files. */
export function isOverlay(name: string): boolean {
  return name.startsWith(prefix)
}
