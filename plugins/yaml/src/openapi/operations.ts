import type { Problems } from '../problems.ts'
import { type Entry, type Mapping, type Node, type Scalar, type Spot, valueAt } from '../read/node.ts'
import type { GivenOpenApi } from '../sections/openapi.ts'
import type { Given } from '../table/given.ts'
import type { Document } from './documents.ts'

const methods = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options']

/** An operation as a rule of the router. */
export interface Operation {
  readonly id: string
  /** Method and path: what two may not both say. */
  readonly takes: string
  readonly rule: Mapping
}

/** The operations of a document. `x-gateway` of one holds keys of its rule. */
export function* operationsOf(
  { root, service }: Document,
  { serviceMappings, manager }: GivenOpenApi,
  problems: Problems,
): Generator<Operation> {
  const paths = valueAt(root, 'paths')
  if (paths?.kind !== 'mapping') return problems.error(root, 'has no "paths"', { code: 'CONFIG_MISSING_KEY' })
  const prefix = manager?.routePrefix?.value.replace(/^\/?/, '/').replace(/\/+$/, '') ?? ''
  for (const [path, { key, value: item }] of paths.entries) {
    if (path.startsWith('x-')) continue
    const reference = valueAt(item, '$ref')
    if (reference !== undefined) problems.unsupported(reference, 'operations stand in the document itself')
    for (const method of methods) {
      const operation = valueAt(item, method)
      if (operation?.kind !== 'mapping') continue
      const written = `${prefix}${pathOf(path, manager)}`
      const id = idOf(operation, `${method}_${path}`, manager)
      const own = valueAt(operation, 'x-gateway')
      const target = serviceOf(operation, root, serviceMappings) ?? service
      yield {
        id,
        takes: `${method} ${written.replaceAll(/\{[^}]*\}/g, '{}')}`,
        rule: ruleOf(
          operation,
          {
            id: scalar(id, operation),
            path: scalar(written, key),
            methods: { ...spotOf(operation), kind: 'sequence', items: [scalar(method.toUpperCase(), operation)] },
            serviceName: target && ('value' in target ? target.node : target),
            stripPrefix: prefix === '' ? undefined : scalar(prefix, key),
          },
          own,
        ),
      }
    }
  }
}

/** What the document says itself, and `x-gateway`, which wins. */
function ruleOf(at: Mapping, own: Readonly<Record<string, Node | undefined>>, more: Node | undefined): Mapping {
  const entries = new Map<string, Entry>()
  for (const [name, value] of Object.entries(own)) if (value !== undefined) entries.set(name, { key: value, value })
  if (more?.kind === 'mapping') for (const [name, entry] of more.entries) entries.set(name, entry)
  return { ...spotOf(at), kind: 'mapping', entries }
}

/** In the notation of rules; a slash at the end is one and no more. */
function pathOf(path: string, manager: GivenOpenApi['manager']): string {
  const style = manager?.routeGeneration?.pathStyle?.value ?? 'exact'
  const named = path.replaceAll(/\{([^}]*)\}/g, (_whole, name: string) => `:${name.replaceAll(/\W/g, '_')}`)
  if (style === 'exact') return named === '/' || named.endsWith('/') ? `${named}{$}` : named
  return `${named.replace(/\/$/, '')}/`
}

function idOf(operation: Mapping, otherwise: string, manager: GivenOpenApi['manager']): string {
  const named = valueAt(operation, 'operationId')
  const wanted = manager?.routeGeneration?.operationIdAsRouteId?.value !== false
  if (wanted && named?.kind === 'scalar') return named.text
  return otherwise.replaceAll(/[^A-Za-z0-9]+/g, '_').replace(/_$/, '')
}

/** By the first tag: what the document says of it, or the file. */
function serviceOf(
  operation: Mapping,
  root: Mapping,
  mappings: ReadonlyMap<string, Given<string>> | undefined,
): Node | Given<string> | undefined {
  const tags = valueAt(operation, 'tags')
  const tag = tags?.kind === 'sequence' ? tags.items[0] : undefined
  if (tag?.kind !== 'scalar') return undefined
  const described = valueAt(root, 'tags')
  const found = (described?.kind === 'sequence' ? described.items : []).find(item => {
    const name = valueAt(item, 'name')
    return name?.kind === 'scalar' && name.text === tag.text
  })
  return valueAt(found, 'x-service') ?? mappings?.get(tag.text)
}

function spotOf({ source, offset }: Spot): Spot {
  return { source, offset }
}

function scalar(text: string, at: Spot): Scalar {
  return { ...spotOf(at), kind: 'scalar', text, plain: false, references: [] }
}
