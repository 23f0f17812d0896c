import type { EventEmitter } from 'node:events'
import { type DestinationStream, pino } from 'pino'
import pretty from 'pino-pretty'
import type { Log } from './contract/host.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface LevelledLog extends Log {
  level: LogLevel
}

/**
 * JSON lines on standard output; with `pretty`, lines to read. Each line is written before the call returns: none is
 * lost when the process ends, and a full disk or a closed pipe cannot make it wait for ever.
 */
export function createLog(
  level: LogLevel,
  options: { readonly pretty?: boolean /** In every line. */; readonly fields?: object } = {},
): LevelledLog {
  const settings = {
    level,
    base: options.fields ?? null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  const destination: EventEmitter & DestinationStream = options.pretty
    ? pretty({ colorize: true, singleLine: true, translateTime: 'SYS:HH:MM:ss.l', sync: true })
    : pino.destination({ dest: 1, sync: true })
  // What cannot be written cannot be reported either; serving goes on.
  destination.on('error', () => {})
  const logger = pino(settings, destination)
  const write = (method: keyof Log) => (message: string, fields?: object) => logger[method](fields ?? {}, message)
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    get level() {
      return logger.level as LogLevel
    },
    set level(value) {
      logger.level = value
    },
  }
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }
