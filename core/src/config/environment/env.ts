import { didYouMean } from '../issues.ts'
import { show } from '../schema.ts'
import { type Duration, parseDuration, parseSize, type Size } from '../units.ts'
import { missingVariable, placeholderNumber, placeholderText, readVariable, reportFault } from './readings.ts'

interface Default<T> {
  /** For a variable that is not set or empty. Without it, that is a problem of the config. */
  readonly default?: T
}

interface NumberOptions extends Default<number> {
  readonly min?: number
  readonly max?: number
  readonly integer?: boolean
}

interface UrlOptions extends Default<string> {
  /** Without the colon. Default: http and https. */
  readonly protocols?: readonly [string, ...string[]]
}

/** With `oneOf`, its type is one of these. */
function string<const T extends string>(
  name: string,
  options: Default<NoInfer<T>> & { readonly oneOf: readonly [T, ...T[]] },
): T
function string(name: string, options?: Default<string>): string
function string(name: string, options: Default<string> & { readonly oneOf?: readonly string[] } = {}): string {
  const { oneOf } = options
  return read(name, options.default, oneOf?.[0] ?? placeholderText(name), text => {
    if (oneOf === undefined || oneOf.includes(text)) return { value: text }
    return { fault: `must be one of ${oneOf.join(', ')}, not ${show(text)}`, ...didYouMean(text, oneOf) }
  })
}

function number(name: string, options: NumberOptions = {}): number {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, integer = false } = options
  const kind = integer ? 'a whole number' : 'a number'
  const bounds = [
    ...(options.min === undefined ? [] : [`at least ${min}`]),
    ...(options.max === undefined ? [] : [`at most ${max}`]),
  ].join(' and ')
  return read(name, options.default, placeholderNumber(), text => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    const fits = Number.isFinite(value) && (!integer || Number.isInteger(value)) && value >= min && value <= max
    return fits ? { value } : { fault: `must be ${kind}${bounds && ` of ${bounds}`}, not ${show(text)}` }
  })
}

/** true, yes, on and 1, or false, no, off and 0, in any case of letters. */
function boolean(name: string, options: Default<boolean> = {}): boolean {
  return read(name, options.default, false, text => {
    if (/^(?:true|yes|on|1)$/i.test(text)) return { value: true }
    return /^(?:false|no|off|0)$/i.test(text) ? { value: false } : { fault: `must be true or false, not ${show(text)}` }
  })
}

/** As the URL standard writes it; an origin without its slash, as targets are written and paths are added to it. */
function url(name: string, options: UrlOptions = {}): string {
  const { protocols = ['http', 'https'] } = options
  return read(name, options.default, `${protocols[0]}://${placeholderText(name)}.invalid`, text => {
    const parsed = URL.canParse(text) ? new URL(text) : undefined
    // Never the text itself: a URL may hold a password.
    if (parsed === undefined || !protocols.includes(parsed.protocol.slice(0, -1))) {
      return { fault: `must be a URL that begins with ${protocols.map(protocol => `${protocol}:`).join(' or ')}` }
    }
    const { href, pathname, search, hash } = parsed
    return { value: pathname === '/' && search === '' && hash === '' ? href.replace(/\/$/, '') : href }
  })
}

/** Milliseconds. The variable is written with its unit: `10s`, `1m`. */
function duration(name: string, options: Default<Duration> = {}): number {
  return read(name, parseDuration(options.default), placeholderNumber(), text => {
    const value = parseDuration(text)
    return value === undefined ? { fault: `must be a duration such as 10s or 1m, not ${show(text)}` } : { value }
  })
}

/** Bytes. The variable is written with its unit: `16kb`, `10mb`. */
function size(name: string, options: Default<Size> = {}): number {
  return read(name, parseSize(options.default), placeholderNumber(), text => {
    const value = parseSize(text)
    return value === undefined ? { fault: `must be a size such as 16kb or 10mb, not ${show(text)}` } : { value }
  })
}

/**
 * Environment variables, for a config to read while it is evaluated. What is missing or malformed is reported by name
 * with all other problems of the config; anywhere else it is thrown at once, as ConfigProblems. A variable that is empty
 * counts as not set.
 */
export const env = { string, number, boolean, url, duration, size }

type Parsed<T> = { readonly value: T } | { readonly fault: string; readonly hint?: string }

function read<T>(name: string, fallback: T | undefined, placeholder: T, parse: (text: string) => Parsed<T>): T {
  const text = readVariable(name)
  if (text === undefined) return fallback ?? missingVariable(name, 'give it a default', placeholder)
  const parsed = parse(text)
  if ('value' in parsed) return parsed.value
  const { fault, ...hint } = parsed
  return reportFault(
    { code: 'CONFIG_ENV_INVALID', message: `the environment variable ${name} ${fault}`, ...hint },
    placeholder,
  )
}
