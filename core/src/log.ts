import { pino } from 'pino'
import pretty from 'pino-pretty'
import type { Log } from './contract/host.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface LevelledLog extends Log {
  level: LogLevel
}

/** JSON lines on standard output; on a terminal, lines to read. */
export function createLog(level: LogLevel, options: { readonly pretty?: boolean } = {}): LevelledLog {
  const settings = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  const logger = options.pretty
    ? pino(settings, pretty({ colorize: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l', sync: true }))
    : pino(settings)
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
