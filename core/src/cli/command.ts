import { parseArgs } from 'node:util'
import { suggest } from '../config/problem.ts'

export interface Option {
  /** `list`: may be given several times. `optional`: has a value after `=` or none, which reads as the empty string. */
  readonly type: 'string' | 'boolean' | 'list' | 'optional'
  /** One letter. */
  readonly short?: string
  /** What stands for the value in the help; of options with a value. */
  readonly value?: string
  readonly help: string
  readonly choices?: readonly string[]
}

type OptionTable = Readonly<Record<string, Option>>

/** Options as the user gave them; a boolean that is not there is false, a list empty. */
type Values<O extends OptionTable> = { readonly [K in keyof O]: Value<O[K]['type']> }
type Value<Type> = Type extends 'boolean' ? boolean : Type extends 'list' ? readonly string[] : string | undefined

interface Spec<O extends OptionTable, Operands> {
  /** Shown by `--help` below the summary. */
  readonly details?: string
  readonly options: O
  /** Resolves with the exit code. */
  run(operands: Operands, options: Values<O>): Promise<number>
}

export interface Command {
  /** What goes beside the options: `[FILE]`. */
  readonly usage: string
  /** What `--help` says below usage and summary. */
  readonly help: string
  /** @throws UsageError */
  run(argv: readonly string[]): Promise<number>
}

/** The command line was wrong; the exit code is 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** A command that takes at most one FILE, its own options and `--help`, which the caller has dealt with. */
export function defineCommand<const O extends OptionTable>(spec: Spec<O, string | undefined>): Command {
  return defineCommandOf('[FILE]', { ...spec, run: ([file], options) => spec.run(file, options) })
}

/** A command with other operands: `METHOD URL`; those in brackets may be left out. */
export function defineCommandOf<const O extends OptionTable>(usage: string, spec: Spec<O, readonly string[]>): Command {
  return {
    usage,
    help: helpOf(usage, spec),
    run: async argv => {
      const { operands, values } = parse(argv, usage, spec.options)
      return spec.run(operands, values)
    },
  }
}

function parse<O extends OptionTable>(
  argv: readonly string[],
  usage: string,
  table: O,
): { operands: readonly string[]; values: Values<O> } {
  const options = Object.fromEntries(
    Object.entries(table).map(([name, { type, short }]) => [
      name,
      { type: takesNext(type) ? ('string' as const) : ('boolean' as const), ...(short === undefined ? {} : { short }) },
    ]),
  )
  const { positionals, tokens } = parseArgs({
    args: [...argv],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const values: Record<string, unknown> = {}
  const lists = new Map<string, string[]>()
  for (const [name, { type }] of Object.entries(table)) {
    if (type === 'list') lists.set(name, [])
    values[name] = type === 'boolean' ? false : lists.get(name)
  }
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const value = optionValue(token, table)
    const list = lists.get(token.name)
    if (list === undefined) values[token.name] = value
    else list.push(String(value))
  }
  checkOperands(positionals, usage)
  // Every key of the table was given a value of its type above.
  return { operands: positionals, values: values as Values<O> }
}

const takesNext = (type: Option['type']) => type === 'string' || type === 'list'

function checkOperands(given: readonly string[], usage: string): void {
  const names = usage.split(' ')
  const missing = names.slice(given.length).find(name => !name.startsWith('['))
  if (missing !== undefined) throw new UsageError(`${missing} is missing`)
  const extra = given[names.length]
  if (extra === undefined) return
  const bare = names.map(name => name.replace(/[[\]]/g, ''))
  const all = bare.length === 1 ? `one ${bare[0]} is all` : `${bare.join(' and ')} are all`
  throw new UsageError(`unexpected argument "${extra}": ${all} that goes here`)
}

interface OptionToken {
  readonly name: string
  readonly rawName: string
  readonly value: string | undefined
  readonly inlineValue: boolean | undefined
}

function optionValue({ name, rawName, value, inlineValue }: OptionToken, table: OptionTable): string | true {
  const option = Object.hasOwn(table, name) ? table[name] : undefined
  if (option === undefined || (!rawName.startsWith('--') && rawName !== `-${option.short}`))
    throw unknown('option', rawName, [...Object.keys(table), 'help'])
  if (option.type === 'boolean') {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value`)
    return true
  }
  if (option.type === 'optional') return value ?? ''
  // As parseArgs has it when strict: `--port --watch` is a forgotten value far more often than a value with dashes.
  if (value === undefined || (!inlineValue && value.startsWith('-'))) throw new UsageError(`${rawName} needs a value`)
  if (option.choices?.includes(value) === false) {
    const near = suggest(value, option.choices)
    const hint = near === undefined ? `one of ${option.choices.join(', ')}` : `did you mean "${near}"?`
    throw new UsageError(`${rawName} cannot be "${value}": ${hint}`)
  }
  return value
}

/** For a word that is none of the known ones. */
export function unknown(kind: 'command' | 'option', word: string, known: readonly string[]): UsageError {
  const dashes = /^-*/.exec(word)?.[0] ?? ''
  const near = suggest(word.slice(dashes.length), known)
  return new UsageError(`unknown ${kind} "${word}"${near === undefined ? '' : `: did you mean "${dashes}${near}"?`}`)
}

function helpOf(usage: string, { details, options }: Spec<OptionTable, never>): string {
  const rows = Object.entries(options).map(([name, option]): [string, string] => {
    const { help, choices } = option
    return [optionUsage(name, option), choices === undefined ? help : `${help} (${choices.join(', ')})`]
  })
  const takesFile = usage === '[FILE]' || Object.hasOwn(options, 'config')
  const paragraphs = [
    ...(details === undefined ? [] : [details]),
    ...(takesFile ? [fileHelp] : []),
    `Options:\n${table([...rows, ['--help', 'Show this help']])}`,
  ]
  return `${paragraphs.join('\n\n')}\n`
}

const fileHelp = `FILE is the config; without it, the first of gateway.config.ts, .mts, .js, .mjs, gateway.yaml
and gateway.yml in the current folder.`

function optionUsage(name: string, { type, short, value }: Option): string {
  const long = short === undefined ? `--${name}` : `-${short}, --${name}`
  if (value === undefined) return long
  return type === 'optional' ? `${long}[=${value}]` : `${long} ${value}`
}

/** Rows of two columns, indented. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')
}
