import type { Log } from '@gateway/core'

export interface LogLine {
  readonly level: keyof Log
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

export interface RecordingLog extends Log {
  readonly all: readonly LogLine[]
  /** Lines of one request but its access line. */
  of(requestId: string): LogLine[]
  /** Access lines. */
  readonly access: readonly LogLine[]
}

export function recordingLog(): RecordingLog {
  const all: LogLine[] = []
  const write =
    (level: keyof Log) =>
    (message: string, fields: object = {}) =>
      void all.push({ level, message, fields: { ...fields } })
  const isAccess = (line: LogLine) => line.message === 'request'
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    all,
    of: requestId => all.filter(line => line.fields.requestId === requestId && !isAccess(line)),
    get access() {
      return all.filter(isAccess)
    },
  }
}
