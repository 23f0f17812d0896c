import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { TextDecoder } from 'node:util'
import { isRecord } from '../config/issues.ts'
import { isToken } from '../http1/grammar.ts'
import type { FieldReader } from '../routing/predicate.ts'

/** A request that somebody sent once. */
export interface RecordedRequest {
  readonly method: string
  /** A path, with or without a query, or an http(s) URL. */
  readonly url: string
  /** Undefined: the record does not tell. */
  readonly host: string | undefined
  readonly fields: FieldReader
}

/** What a place in a file holds. `other`: something that is no request, and not meant to be one. */
export type Found = RecordedRequest | { readonly fault: string } | 'other'

export interface FoundAt {
  /** Line of a log, number of an entry; the first is 1. */
  readonly line: number
  readonly found: Found
}

/** A file that is no record at all. */
export class RecordError extends Error {
  override readonly name = 'RecordError'
}

export const isHar = (file: string) => /\.har$/i.test(file)

/**
 * Reads a HAR file (1.2; its name ends in `.har`), at once, or else an access log, a piece at a time: lines of JSON as the
 * gateway writes them, of the Common or of the Combined Log Format, in any mixture.
 *
 * @throws RecordError, and what reading the file throws
 */
export async function* recordedRequests(file: string): AsyncGenerator<readonly FoundAt[]> {
  if (isHar(file)) return yield readHar(await readFile(file, 'utf8'))
  let line = 0
  for await (const lines of readLines(file)) {
    const found: FoundAt[] = []
    for (const text of lines) {
      line++
      if (text !== '' && text !== '\r') found.push({ line, found: readLine(text) })
    }
    yield found
  }
}

/** Longer lines no log has; where there is no end in sight, memory has one. In characters. */
const longestLine = 256 * 1024

/** The lines of each piece of the file. Of one that is too long the beginning is all there is. */
async function* readLines(file: string): AsyncGenerator<readonly string[]> {
  // Logs hold what clients send: bytes that are no UTF-8, too.
  const decoder = new TextDecoder('utf8')
  let rest = ''
  for await (const piece of createReadStream(file, { highWaterMark: 256 * 1024 })) {
    const [first = '', ...others] = decoder.decode(piece as Uint8Array, { stream: true }).split('\n')
    const lines = [rest.length > longestLine ? rest : rest + first, ...others]
    rest = lines.pop() ?? ''
    if (lines.length > 0) yield lines
  }
  if (rest !== '') yield [rest]
}

const noFields: FieldReader = { get: () => undefined }

/** One line of an access log. */
export function readLine(text: string): Found {
  if (text.length > longestLine) return { fault: `longer than ${longestLine} characters` }
  return text.startsWith('{') ? readJsonLine(text) : readCommonLine(text)
}

/** As exchange/finish.ts writes them; whatever else the gateway logged is no request. */
function readJsonLine(text: string): Found {
  const entry = parseJson(text)
  if (!isRecord(entry)) return { fault: 'no JSON' }
  const { msg, method, host, path } = entry
  if (msg !== 'request') return 'other'
  if (!isMethod(method) || typeof path !== 'string') return { fault: 'names no method or no path' }
  // Refused before it had one, which is not logged.
  if (path === '') return 'other'
  return { method, url: path, host: typeof host === 'string' ? host : undefined, fields: noFields }
}

/** `client ident user [date] "GET /path HTTP/1.1" …`; the quoted part may escape quotes by a backslash. */
function readCommonLine(text: string): Found {
  const opening = text.indexOf('] "')
  if (opening === -1 || text.lastIndexOf('[', opening) < 1) return { fault: 'neither JSON nor Common Log Format' }
  const start = opening + 3
  let end = start
  while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1
  const [method, url, version, ...more] = text.slice(start, end).split(' ')
  const isWhole = end < text.length && more.length === 0 && version?.startsWith('HTTP/') === true
  if (!isWhole || !isMethod(method) || !isTarget(url)) return { fault: 'holds no request line' }
  return { method, url, host: undefined, fields: noFields }
}

/** @throws RecordError */
export function readHar(text: string): FoundAt[] {
  const har = parseJson(text.replace(/^\uFEFF/, ''))
  const log = isRecord(har) ? har.log : undefined
  const entries = isRecord(log) ? log.entries : undefined
  if (!Array.isArray(entries)) throw new RecordError('it is no HAR file: it has no list log.entries')
  return entries.map((entry: unknown, index) => ({ line: index + 1, found: readEntry(entry) }))
}

function readEntry(entry: unknown): Found {
  const request = isRecord(entry) ? entry.request : undefined
  const { method, url, headers = [] } = isRecord(request) ? request : {}
  if (!isMethod(method) || typeof url !== 'string') return { fault: 'names no method or no URL' }
  if (!/^https?:\/\//i.test(url)) return { fault: 'its URL is not one of http or https' }
  const fields = new Map<string, string>()
  for (const header of Array.isArray(headers) ? headers : []) {
    const { name, value } = isRecord(header) ? header : {}
    if (typeof name !== 'string' || typeof value !== 'string') continue
    const key = name.toLowerCase()
    const before = fields.get(key)
    fields.set(key, before === undefined ? value : `${before}, ${value}`)
  }
  // A client keeps the fragment to itself.
  const [sent = ''] = url.split('#')
  return { method, url: sent, host: undefined, fields: { get: name => fields.get(name.toLowerCase()) } }
}

const isMethod = (value: unknown): value is string => typeof value === 'string' && isToken(value)
const isTarget = (value: unknown): value is string => typeof value === 'string' && value !== ''

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
