import type { Goal } from './cases.ts'

export interface Row {
  readonly label: string
  /** What the case compares; undefined when it could not be measured. */
  readonly figure: number | undefined
  /** Under the case's headings. */
  readonly cells: readonly string[]
  /** What went wrong while it was measured; empty when nothing did. */
  readonly errors: string
}

export interface Table {
  /** Name of the figure, with its unit. */
  readonly figure: string
  readonly headings: readonly string[]
  readonly rows: readonly Row[]
}

/** A case's table, its goals and how they were met, in Markdown that also reads well on a terminal. */
export function formatTable(table: Table, against: readonly string[], goals: readonly Goal[] = []): string {
  const bases = against.filter(label => figureOf(table, label) !== undefined)
  const head = ['', table.figure, ...bases.map(label => `÷ ${label}`), ...table.headings, 'errors']
  const body = table.rows.map(({ label, figure, cells, errors }) => [
    label,
    figure === undefined ? '-' : rounded(figure),
    ...bases.map(base => rounded(ratio(table, label, base))),
    ...table.headings.map((_, column) => cells[column] ?? '-'),
    figure === undefined ? 'failed' : errors,
  ])
  const failures = table.rows.flatMap(({ label, figure, errors }) =>
    figure === undefined ? `- ${label}: ${errors}` : [],
  )
  const verdicts = goals.flatMap(goal => verdict(table, goal) ?? [])
  const below = [...failures, ...verdicts].join('\n')
  return [alignRows(head, body), ...(below === '' ? [] : [below])].join('\n\n')
}

function verdict(table: Table, { label = 'gateway', against, atMost, atLeast }: Goal): string | undefined {
  const value = ratio(table, label, against)
  if (value === undefined) return undefined
  const met = (atMost === undefined || value <= atMost) && (atLeast === undefined || value >= atLeast)
  const wanted = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`
  return `- ${label} ÷ ${against}: ${rounded(value)}, wanted ${wanted}: ${met ? 'met' : 'MISSED'}`
}

function figureOf(table: Table, label: string): number | undefined {
  return table.rows.find(row => row.label === label)?.figure
}

function ratio(table: Table, label: string, base: string): number | undefined {
  const [figure, divisor] = [figureOf(table, label), figureOf(table, base)]
  return figure === undefined || divisor === undefined ? undefined : figure / divisor
}

function alignRows(head: readonly string[], body: readonly (readonly string[])[]): string {
  const widths = head.map((heading, column) =>
    Math.max(3, ...[heading, ...body.map(row => row[column] ?? '')].map(text => text.length)),
  )
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`
  const rule = `|${widths.map((width, column) => (column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  return [line(head), rule, ...body.map(line)].join('\n')
}

/** Three digits that count, or all before the point. */
export function rounded(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '-'
  const decimals = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toFixed(decimals)
}

export const megabytes = (bytes: number): string => `${rounded(bytes / 1e6)} MB`

export const latency = (micros: number): string =>
  micros < 1_000 ? `${rounded(micros)} µs` : `${rounded(micros / 1_000)} ms`
