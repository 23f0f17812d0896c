import { styleText } from 'node:util'
import type { LevelledLog } from '../log.ts'

/** The fields of an access line that the table shows. */
export interface Request {
  readonly method: string
  readonly path: string
  readonly route?: string | undefined
  readonly target?: string | undefined
  /** 0 when the client left before there was one. */
  readonly status: number
  readonly durationMs: number
}

interface Column {
  readonly title: string
  /** Characters; the path gets what the others leave. */
  readonly width: number
  /** Shown from this many characters a line on. */
  readonly from: number
  readonly right?: boolean
  cell(request: Request): string
}

const minPath = 16
const columns: readonly Column[] = [
  { title: 'METHOD', width: 7, from: 0, cell: ({ method }) => method },
  { title: 'PATH', width: 0, from: 0, cell: ({ path }) => path },
  { title: 'ROUTE', width: 18, from: 60, cell: ({ route }) => route || '-' },
  { title: 'TARGET', width: 22, from: 90, cell: ({ target }) => target?.replace(/^http:\/\//, '') ?? '-' },
  { title: 'STATUS', width: 6, from: 0, right: true, cell: ({ status }) => (status === 0 ? '-' : String(status)) },
  { title: 'TIME', width: 8, from: 0, right: true, cell: ({ durationMs }) => duration(durationMs) },
]

/** The log with its access lines as rows of a table on `output`, a terminal; the rest of it stays as it is. */
export function requestTable(
  log: LevelledLog,
  output: { readonly columns: number; write(text: string): void },
  colours: boolean,
): LevelledLog {
  let headed = false
  return {
    ...{ debug: log.debug, warn: log.warn, error: log.error },
    info(message, fields) {
      if (message !== 'request' || !isRequest(fields)) return log.info(message, fields)
      if (log.level !== 'info' && log.level !== 'debug') return
      if (!headed) output.write(`${headLine(output.columns || 80, colours)}\n`)
      headed = true
      output.write(`${requestLine(fields, output.columns || 80, colours)}\n`)
    },
    get level() {
      return log.level
    },
    set level(value) {
      log.level = value
    },
  }
}

/** A plugin's log may say "request", too, and carries the plugin's name. */
function isRequest(fields: object | undefined): fields is Request {
  return fields !== undefined && 'durationMs' in fields && 'status' in fields && !('plugin' in fields)
}

function headLine(width: number, colours: boolean): string {
  const text = line(width, ({ title }) => title)
  return colours ? styleText('dim', text, { validateStream: false }) : text
}

function requestLine(request: Request, width: number, colours: boolean): string {
  return line(
    width,
    column => column.cell(request),
    ({ title }, text) =>
      colours && title === 'STATUS' ? styleText(colourOf(request.status), text, { validateStream: false }) : text,
  )
}

function line(
  width: number,
  cell: (column: Column) => string,
  paint: (column: Column, text: string) => string = (_, text) => text,
): string {
  const shown = columns.filter(({ from }) => width >= from)
  const taken = shown.reduce((sum, column) => sum + column.width + 2, -2)
  const size = (column: Column) => column.width || Math.max(minPath, width - taken)
  return shown.map(column => paint(column, align(cell(column), column, size(column)))).join('  ')
}

function align(text: string, { right }: Column, size: number): string {
  // What a client sends must not move the cursor or paint the terminal.
  const plain = text.replace(/[^\x20-\x7e]/g, '?')
  const short = plain.length > size ? `${plain.slice(0, size - 1)}…` : plain
  return right ? short.padStart(size) : short.padEnd(size)
}

function duration(ms: number): string {
  if (ms >= 9_950) return `${Math.round(ms / 1000)} s`
  if (ms >= 999.5) return `${(ms / 1000).toFixed(1)} s`
  return `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)} ms`
}

function colourOf(status: number): 'green' | 'cyan' | 'yellow' | 'red' | 'dim' {
  if (status === 0) return 'dim'
  return status < 300 ? 'green' : status < 400 ? 'cyan' : status < 500 ? 'yellow' : 'red'
}
