import type { EventEmitter } from 'node:events'
import { type DestinationStream, pino } from 'pino'
import pretty from 'pino-pretty'
import type { Log } from './contract/host.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface LevelledLog extends Log {
  level: LogLevel
}

/**
 * JSON lines on standard output; with `pretty`, lines to read. A warning or an error is written before the call returns,
 * with all before it; other lines of one turn of the event loop are written together at its end, which spares an access
 * log most of its system calls. None is lost when the process ends, unless it is killed. A full disk or a closed pipe
 * cannot make it wait for ever.
 */
export function createLog(
  level: LogLevel,
  options: { readonly pretty?: boolean /** In every line. */; readonly fields?: object } = {},
): LevelledLog {
  const settings = {
    level,
    base: options.fields ?? null,
    timestamp,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  const logger = pino(settings, options.pretty ? prettyOutput() : { write: writeAtTurnEnd })
  const write = (method: keyof Log) => (message: string, fields?: object) => logger[method](fields ?? {}, message)
  const writeNow = (method: keyof Log) => (message: string, fields?: object) => {
    logger[method](fields ?? {}, message)
    flush()
  }
  return {
    debug: write('debug'),
    info: write('info'),
    warn: writeNow('warn'),
    error: writeNow('error'),
    get level() {
      return logger.level as LogLevel
    },
    set level(value) {
      logger.level = value
    },
  }
}

function prettyOutput(): DestinationStream {
  return neverFailing(pretty({ colorize: true, singleLine: true, translateTime: 'SYS:HH:MM:ss.l', sync: true }))
}

// What cannot be written cannot be reported either; serving goes on.
function neverFailing<Output extends EventEmitter>(output: Output): Output {
  return output.on('error', () => {})
}

let output: DestinationStream | undefined
/** Of all logs. */
let lines = ''
/** Characters that wait for the end of the turn. */
const maxPending = 65_536

function writeAtTurnEnd(line: string): void {
  if (lines === '') setImmediate(flush)
  lines += line
  if (lines.length > maxPending) flush()
}

function flush(): void {
  if (lines === '') return
  if (output === undefined) {
    output = neverFailing(pino.destination({ dest: 1, sync: true }))
    process.on('exit', flush)
  }
  const due = lines
  lines = ''
  output.write(due)
}

let stampedMs = 0
let stamp = ''

/** ISO 8601, made once a millisecond. */
function timestamp(): string {
  const now = Date.now()
  if (now !== stampedMs) {
    stampedMs = now
    stamp = `,"time":"${new Date(now).toISOString()}"`
  }
  return stamp
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }
