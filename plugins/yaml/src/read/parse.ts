import {
  type Alias,
  isAlias,
  isCollection,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  type ParsedNode,
  parseAllDocuments,
  type YAMLMap,
  type YAMLSeq,
  Scalar as YamlScalar,
} from 'yaml'
import type { Problems } from '../problems.ts'
import { expand } from './expand.ts'
import type { Comments, Entry, Mapping, Node, Source } from './node.ts'

/** What a file is read with. */
export interface Reading {
  readonly problems: Problems
  /** What an environment variable holds; undefined: not set, or empty. */
  variable(name: string): string | undefined
}

/** How many values aliases may stand for together: files that mean well come nowhere near. */
const aliasedValues = 100_000
const mostDepth = 200

/** Reads the first document of a text. Undefined where it holds nothing, or does not parse. */
export function parseYaml(file: string, text: string, reading: Reading): Node | undefined {
  const lines = new LineCounter()
  // Its own check of keys compares each with all.
  const documents = parseAllDocuments<ParsedNode>(text, { lineCounter: lines, uniqueKeys: false, prettyErrors: false })
  const source: Source = {
    file,
    place(offset) {
      const { line, col } = lines.linePos(offset)
      return { line: Math.max(1, line), column: Math.max(1, col) }
    },
  }
  const at = (offset: number) => ({ source, offset })
  const { problems } = reading
  const [first, second] = 'empty' in documents ? [] : documents
  if (first === undefined || (first.contents === null && first.errors.length === 0)) {
    problems.error(at(0), 'is empty', { code: 'CONFIG_SYNTAX' })
    return undefined
  }
  for (const { message, pos } of first.errors) problems.error(at(pos[0]), inWords(message), { code: 'CONFIG_SYNTAX' })
  for (const { message, pos } of first.warnings) problems.warning(at(pos[0]), message)
  if (second !== undefined) {
    problems.warning(at(second.range[0]), 'is a second document, which is not read: only the first one is')
  }
  if (first.errors.length > 0 || first.contents === null) return undefined
  return new Converter(source, reading).convert(first.contents, commentsAround(first.commentBefore, first.comment), 0)
}

/** What the parser says of what it could not follow is said of itself. */
function inWords(message: string): string {
  return message === 'Maximum call stack size exceeded' ? 'is nested too deep' : message
}

/** Makes nodes of what the parser yields. */
class Converter {
  readonly #source: Source
  readonly #reading: Reading
  /** What anchors name, and how many values that is; undefined: it is being made. */
  readonly #anchors = new Map<string, { readonly node: Node; readonly size: number } | undefined>()
  #aliased = 0
  #values = 0

  constructor(source: Source, reading: Reading) {
    this.#source = source
    this.#reading = reading
  }

  convert(yaml: ParsedNode, comments: Comments | undefined, depth: number): Node {
    this.#values += 1
    const before = this.#values
    if (isAlias(yaml)) return this.#resolve(yaml)
    const offset = yaml.range[0]
    if (depth > mostDepth) return this.#refuse(offset, `is nested more than ${mostDepth} levels deep`)
    const { anchor } = yaml
    if (anchor !== undefined) this.#anchors.set(anchor, undefined)
    const node = isCollection(yaml) ? this.#collection(yaml, comments, depth) : this.#scalar(yaml, comments)
    if (anchor !== undefined) this.#anchors.set(anchor, { node, size: this.#values - before + 1 })
    return node
  }

  #collection(yaml: YAMLMap.Parsed | YAMLSeq.Parsed, comments: Comments | undefined, depth: number): Node {
    const base = { source: this.#source, offset: yaml.range[0], comments }
    if (isSeq(yaml)) return { ...base, kind: 'sequence', items: this.#items(yaml.items, depth) }
    return { ...base, kind: 'mapping', entries: this.#entries(yaml.items, depth) }
  }

  #items(items: readonly unknown[], depth: number): Node[] {
    return items.map(item => {
      // A pair in a flow sequence, [a: b], is a mapping of its own.
      if (isPair(item)) {
        const pair = item as Pair<ParsedNode, ParsedNode | null>
        const offset = pair.key.range[0]
        return { kind: 'mapping', source: this.#source, offset, entries: this.#entries([pair], depth + 1) }
      }
      const node = item as ParsedNode
      return this.convert(node, commentsOf(node, node), depth + 1)
    })
  }

  #entries(pairs: readonly unknown[], depth: number): Map<string, Entry> {
    const { problems } = this.#reading
    const own = new Map<string, Entry>()
    const merged: Mapping[] = []
    for (const pair of pairs as Pair<ParsedNode, ParsedNode | null>[]) {
      const key = pair.key
      const spot = { source: this.#source, offset: pair.key.range[0] }
      if (!isScalar(key)) {
        problems.error(spot, 'a key must be a word, not a list or a mapping', { code: 'CONFIG_SYNTAX' })
        continue
      }
      const name = textOf(key)
      const value = this.#value(pair, spot.offset, depth)
      if (name === '<<' && key.type === YamlScalar.PLAIN) merged.push(...this.#mergedBy(value))
      else if (own.has(name)) {
        const { line } = this.#source.place(own.get(name)?.key.offset ?? 0)
        problems.error(spot, `the key "${name}" is there twice: the first is in line ${line}`, {
          code: 'CONFIG_DUPLICATE_KEY',
        })
      } else own.set(name, { key: spot, value })
    }
    // A key of its own wins over a merged one, and of several merged mappings the first.
    for (const { entries } of merged) for (const [name, entry] of entries) if (!own.has(name)) own.set(name, entry)
    return own
  }

  #value({ key, value }: Pair<ParsedNode, ParsedNode | null>, offset: number, depth: number): Node {
    if (value === null) return this.#text('', offset, true)
    return this.convert(value, commentsOf(key, value), depth + 1)
  }

  #mergedBy(value: Node): Mapping[] {
    const given = value.kind === 'sequence' ? value.items : [value]
    return given.flatMap(item => {
      if (item.kind === 'mapping') return [item]
      this.#reading.problems.error(item, '"<<" merges mappings, or a list of them', { code: 'CONFIG_SYNTAX' })
      return []
    })
  }

  #resolve({ source: name, range: [offset] }: Alias.Parsed): Node {
    if (!this.#anchors.has(name)) return this.#refuse(offset, `there is no anchor "&${name}" before this`)
    const made = this.#anchors.get(name)
    if (made === undefined) return this.#refuse(offset, `"*${name}" stands within itself`)
    this.#aliased += made.size
    this.#values += made.size
    if (this.#aliased <= aliasedValues) return made.node
    return this.#refuse(offset, `aliases stand for more than ${aliasedValues.toLocaleString('en')} values`)
  }

  #scalar(yaml: ParsedNode, comments: Comments | undefined): Node {
    const scalar = isScalar(yaml) ? yaml : undefined
    const plain = scalar?.type === YamlScalar.PLAIN && scalar.tag !== 'tag:yaml.org,2002:str'
    return this.#text(scalar === undefined ? '' : textOf(scalar), yaml.range[0], plain, comments)
  }

  #text(written: string, offset: number, plain: boolean, comments?: Comments): Node {
    const { problems, variable } = this.#reading
    const at = { source: this.#source, offset }
    const { text, references } = expand(written, variable, name => {
      const hint = `export ${name}=…, or write \${${name}:-default}`
      problems.error(at, `the environment variable ${name} is not set`, { code: 'CONFIG_ENV_MISSING', hint })
    })
    return { kind: 'scalar', ...at, comments, text, plain, references, ...(text === written ? {} : { written }) }
  }

  /** Reports, and stands in with nothing. */
  #refuse(offset: number, message: string): Node {
    this.#reading.problems.error({ source: this.#source, offset }, message, { code: 'CONFIG_SYNTAX' })
    return { kind: 'scalar', source: this.#source, offset, text: '', plain: true, references: [] }
  }
}

/** As it was written: `1.0` is not 1, where a text is wanted. */
function textOf({ source, value }: YamlScalar): string {
  return source ?? (typeof value === 'string' ? value : String(value ?? ''))
}

function commentsOf(key: ParsedNode, value: ParsedNode): Comments | undefined {
  return commentsAround(key.commentBefore ?? (isCollection(value) ? value.commentBefore : undefined), value.comment)
}

function commentsAround(before: string | null | undefined, after: string | null | undefined): Comments | undefined {
  if (!before && !after) return undefined
  return { ...(before ? { before } : {}), ...(after ? { after } : {}) }
}
