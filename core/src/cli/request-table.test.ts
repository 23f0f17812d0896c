import { stripVTControlCharacters, styleText } from 'node:util'
import { expect, test } from 'vitest'
import type { LevelledLog, LogLevel } from '../log.ts'
import { type Request, requestTable } from './request-table.ts'

const request: Request = {
  method: 'GET',
  path: '/users/7',
  route: 'getUser',
  target: 'http://127.0.0.1:3001',
  status: 200,
  durationMs: 3.21,
}

/** A table and what it and the log below it were given. */
function table(columns: number, colours = false) {
  const lines: string[] = []
  const logged: string[] = []
  const note = (message: string) => void logged.push(message)
  const log: LevelledLog = { debug: note, info: note, warn: note, error: note, level: 'info' as LogLevel }
  const output = { columns, write: (text: string) => void lines.push(...text.trimEnd().split('\n')) }
  const diverted = requestTable(log, output, colours)
  return {
    lines,
    logged,
    log,
    diverted,
    show: (more: Partial<Request>) => diverted.info('request', { ...request, ...more }),
  }
}

test('a row a request, below one head', () => {
  const { lines, show } = table(100)
  show({})
  show({ method: 'POST', path: '/orders', route: 'createOrder', status: 404, target: undefined, durationMs: 120.4 })
  show({ method: 'DELETE', status: 0, route: undefined, durationMs: 12_345 })
  expect(lines).toEqual([
    'METHOD   PATH                           ROUTE               TARGET                  STATUS      TIME',
    'GET      /users/7                       getUser             127.0.0.1:3001             200    3.2 ms',
    'POST     /orders                        createOrder         -                          404    120 ms',
    'DELETE   /users/7                       -                   127.0.0.1:3001               -      12 s',
  ])
})

test('a narrow terminal has fewer columns, and no row is longer than it', () => {
  const path = `/${'long/'.repeat(40)}`
  for (const [columns, titles] of [
    [120, 6],
    [80, 5],
    [50, 4],
  ] as const) {
    const { lines, show } = table(columns)
    show({ path, method: 'PROPPATCH', route: 'aRouteWithAVeryLongName' })
    expect(lines.map(({ length }) => length)).toEqual([columns, columns])
    expect(lines[0]?.split(/ +/)).toHaveLength(titles)
    expect(lines[1]).toMatch(/^PROPPA… {2}\/long\/.*… /)
  }
})

test('colours by status, and the same columns', () => {
  const { lines, show } = table(100, true)
  const plain = table(100)
  for (const status of [200, 301, 404, 503]) {
    show({ status })
    plain.show({ status })
  }
  const painted = (['green', 'cyan', 'yellow', 'red'] as const).map((colour, i) =>
    styleText(colour, `   ${[200, 301, 404, 503][i]}`, { validateStream: false }),
  )
  for (const [i, text] of painted.entries()) expect(lines[i + 1]).toContain(text)
  expect(lines.map(stripVTControlCharacters)).toEqual(plain.lines)
})

test('what a client sends cannot move the cursor', () => {
  const { lines, show } = table(100)
  show({ path: '/\x1b[2J\u009b1A', method: 'G\rT' })
  expect(lines[1]).toMatch(/^G\?T {6}\/\?\[2J\?1A /)
})

test('the rest of the log stays where it is, and the level holds for rows, too', () => {
  const { lines, logged, log, diverted, show } = table(100)
  diverted.info('listening', { url: 'http://x' })
  diverted.info('request', { plugin: 'cache', status: 1, durationMs: 1 })
  diverted.error('broken')
  expect(logged).toEqual(['listening', 'request', 'broken'])
  diverted.level = 'warn'
  show({})
  expect([log.level, diverted.level, lines]).toEqual(['warn', 'warn', []])
})
