import { parseArgs } from 'node:util'
import { suggest } from '../config/problem.ts'

export interface Option {
  readonly type: 'string' | 'boolean'
  /** What stands for the value in the help; of options with a value. */
  readonly value?: string
  readonly help: string
  readonly choices?: readonly string[]
}

type OptionTable = Readonly<Record<string, Option>>

/** Options as the user gave them; a boolean that is not there is false. */
type Values<O extends OptionTable> = {
  readonly [K in keyof O]: O[K]['type'] extends 'boolean' ? boolean : string | undefined
}

interface Spec<O extends OptionTable> {
  /** Shown by `--help` below the summary. */
  readonly details?: string
  readonly options: O
  /** Resolves with the exit code. */
  run(file: string | undefined, options: Values<O>): Promise<number>
}

export interface Command {
  /** What `--help` says below usage and summary. */
  readonly help: string
  /** @throws UsageError */
  run(argv: readonly string[]): Promise<number>
}

/** The command line was wrong; the exit code is 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Every command takes at most one FILE, its own options and `--help`, which the caller has dealt with. */
export function defineCommand<const O extends OptionTable>(spec: Spec<O>): Command {
  return {
    help: helpOf(spec),
    run: async argv => {
      const { file, values } = parse(argv, spec.options)
      return spec.run(file, values)
    },
  }
}

function parse<O extends OptionTable>(
  argv: readonly string[],
  table: O,
): { file: string | undefined; values: Values<O> } {
  const options = Object.fromEntries(Object.entries(table).map(([name, { type }]) => [name, { type }]))
  const { positionals, tokens } = parseArgs({
    args: [...argv],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const values: Record<string, unknown> = {}
  for (const [name, { type }] of Object.entries(table)) values[name] = type === 'boolean' ? false : undefined
  for (const token of tokens) {
    if (token.kind === 'option') values[token.name] = optionValue(token, table)
  }
  const [file, extra] = positionals
  if (extra !== undefined) throw new UsageError(`unexpected argument "${extra}": one FILE is all that goes here`)
  // Every key of the table was given a value of its type above.
  return { file, values: values as Values<O> }
}

interface OptionToken {
  readonly name: string
  readonly rawName: string
  readonly value: string | undefined
  readonly inlineValue: boolean | undefined
}

function optionValue({ name, rawName, value, inlineValue }: OptionToken, table: OptionTable): string | true {
  const option = Object.hasOwn(table, name) ? table[name] : undefined
  if (option === undefined || !rawName.startsWith('--'))
    throw unknown('option', rawName, [...Object.keys(table), 'help'])
  if (option.type === 'boolean') {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value`)
    return true
  }
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

function helpOf({ details, options }: Spec<OptionTable>): string {
  const rows = Object.entries(options).map(([option, { value, help, choices }]): [string, string] => {
    const usage = value === undefined ? `--${option}` : `--${option} ${value}`
    return [usage, choices === undefined ? help : `${help} (${choices.join(', ')})`]
  })
  const paragraphs = [
    ...(details === undefined ? [] : [details]),
    `FILE is the config; without it, the first of gateway.config.ts, .mts, .js, .mjs, gateway.yaml\nand gateway.yml in the current folder.`,
    `Options:\n${table([...rows, ['--help', 'Show this help']])}`,
  ]
  return `${paragraphs.join('\n\n')}\n`
}

/** Rows of two columns, indented. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')
}
