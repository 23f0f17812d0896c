/** A time span: milliseconds, or a number with a unit: `'250ms'`, `'10s'`, `'1m'`, `'1h'`, `'1d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`
/** A size: bytes, or a number with a unit of 1024: `'16kb'`, `'10mb'`, `'1gb'`. */
export type Size = number | `${number}${'b' | 'kb' | 'mb' | 'gb'}`

const milliseconds: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const bytes: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 }

/** Milliseconds; undefined when the value is no duration. */
export function parseDuration(value: unknown): number | undefined {
  return parse(value, milliseconds)
}

/** Bytes; undefined when the value is no size. */
export function parseSize(value: unknown): number | undefined {
  const size = parse(value, bytes)
  return size === undefined ? undefined : Math.floor(size)
}

function parse(value: unknown, units: Readonly<Record<string, number>>): number | undefined {
  const number = typeof value === 'string' ? parseText(value, units) : value
  return typeof number === 'number' && Number.isFinite(number) && number >= 0 ? number : undefined
}

function parseText(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)([a-z]+)$/.exec(text) ?? []
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined
  return factor === undefined ? undefined : Number(amount) * factor
}
