import type { FieldList, Reply } from '@gateway/core'
import { parseHttpDate } from './http-date.ts'
import { type Policy, varyNames } from './policy.ts'

type Fields = Readonly<Record<string, string | readonly string[]>>

/** The head of an answer that others may get. */
export interface StoredHead {
  readonly status: number
  /** Without Age. */
  readonly headers: Fields
  readonly etag: string | undefined
  readonly lastModified: string | undefined
  /** The latest time at which it can have changed (RFC 9110 section 13.1.3), milliseconds. */
  readonly changedAt: number
  /** Fields of the request that chose it, with their values then. */
  readonly varies: readonly (readonly [name: string, value: string | undefined])[]
  readonly policy: Policy
  /** How old it was when it came, in milliseconds, and when that was. */
  readonly initialAge: number
  readonly receivedAt: number
}

/** An answer that is kept. Never changed: what is learnt later makes another one. */
export interface StoredResponse extends StoredHead {
  readonly body: Uint8Array
  /** Of memory, roughly. */
  readonly bytes: number
}

interface Exchange {
  /** Fields of the request as they were when the cache saw it. */
  readonly request: FieldList
  readonly requestedAt: number
  readonly receivedAt: number
}

/** Age is told anew each time; Set-Cookie and the gateway's own are of one exchange alone. */
const notKept = new Set(['age', 'set-cookie', 'x-request-id'])

export function storedHead(
  { status, headers }: { readonly status: number; readonly headers: FieldList },
  policy: Policy,
  { request, requestedAt, receivedAt }: Exchange,
): StoredHead {
  const date = parseHttpDate(headers.get('date'))
  const told = headers.get('age') ?? ''
  const fields = fieldRecord(headers, name => !notKept.has(name))
  return {
    status,
    // RFC 9110 section 6.6.1: who receives an answer without a Date notes the time.
    headers: date === undefined ? { ...fields, Date: new Date(receivedAt).toUTCString() } : fields,
    etag: headers.get('etag'),
    lastModified: headers.get('last-modified'),
    changedAt: parseHttpDate(headers.get('last-modified')) ?? date ?? receivedAt,
    varies: (varyNames(headers) ?? []).map(name => [name, normal(request.get(name))]),
    policy,
    // RFC 9111 section 4.2.3.
    initialAge: Math.max(
      date === undefined ? 0 : receivedAt - date,
      (/^\d+$/.test(told) ? Math.min(Number(told), 2 ** 31) * 1000 : 0) + receivedAt - requestedAt,
    ),
    receivedAt,
  }
}

/** What an entry takes beside its texts and bytes: objects, and its places in maps. */
const overhead = 1_024

export function storedResponse(head: StoredHead, body: Uint8Array, key: string): StoredResponse {
  const texts = Object.entries(head.headers).reduce((sum, [name, value]) => sum + name.length + String(value).length, 0)
  return { ...head, body, bytes: body.byteLength + texts + key.length + overhead }
}

/** Milliseconds, by RFC 9111 section 4.2.3. A clock set back makes nothing younger than it came. */
export const ageOf = ({ initialAge, receivedAt }: StoredHead, now: number): number =>
  initialAge + Math.max(0, now - receivedAt)

/** How long it is fresh from now on; negative when it is stale. */
export const freshFor = (head: StoredHead, now: number): number => (head.policy.lifetime ?? 0) - ageOf(head, now)

/** Whether the fields that chose the answer say the same of another request. */
export function selects({ varies }: StoredHead, request: FieldList): boolean {
  return varies.every(([name, value]) => normal(request.get(name)) === value)
}

/** White space around commas says nothing. */
const normal = (value: string | undefined) =>
  value === undefined || !/[\t ]/.test(value) ? value : value.split(',').map(withoutBlanks).join(',')

/** Not by an expression, which would try again from each of a thousand blanks; nor by trim, which takes more than blanks. */
function withoutBlanks(text: string): string {
  const isBlank = (at: number) => text[at] === ' ' || text[at] === '\t'
  let start = 0
  let end = text.length
  while (start < end && isBlank(start)) start++
  while (start < end && isBlank(end - 1)) end--
  return text.slice(start, end)
}

/** Fields as a reply has them, one entry a name. */
export function fieldRecord(headers: FieldList, wanted: (name: string) => boolean = () => true) {
  const found = new Map<string, [name: string, values: string[]]>()
  for (const [name, value] of headers) {
    const lower = name.toLowerCase()
    if (!wanted(lower)) continue
    const there = found.get(lower)
    if (there === undefined) found.set(lower, [name, [value]])
    else there[1].push(value)
  }
  return Object.fromEntries(
    [...found.values()].map(([name, values]) => [name, values.length === 1 ? (values[0] ?? '') : values]),
  )
}

/** What a 304 has no say in (RFC 9111 section 3.2): it has no body of its own. */
const ofTheBody = ['content-length', 'content-encoding', 'content-type', 'content-range', 'set-cookie']

/** Makes the fields of a 304 those of the answer that it confirms. */
export function completeFields(confirmed: FieldList, stored: StoredHead): void {
  for (const name of ofTheBody) confirmed.delete(name)
  for (const [name, value] of Object.entries(stored.headers)) {
    // Its age counts from the confirmation on, whose time is noted where it has no Date.
    if (confirmed.has(name) || name.toLowerCase() === 'date') continue
    for (const line of [value].flat()) confirmed.append(name, line)
  }
}

/** What a client that has the answer is told again (RFC 9110 section 15.4.5). */
const inNotModified = /^(?!content-(?!location$|security-policy))/i

/** The answer as it is at an age, in milliseconds; of less than a second it is news. */
export function replyOf({ status, headers }: StoredHead, body: Reply['body'], age: number): Reply {
  return { status, headers: age < 1000 ? headers : withAge(headers, age), body, fromUpstream: true }
}

/** The answer that is kept, or that the client has it already. */
export function keptReply(stored: StoredResponse, request: FieldList, age: number): Reply {
  const headers = withAge(stored.headers, age)
  if (stored.status !== 200 || !isKnown(stored, request))
    return { status: stored.status, headers, body: stored.body, fromUpstream: true }
  const told = Object.entries(headers).filter(([name]) => inNotModified.test(name))
  return { status: 304, headers: Object.fromEntries(told), fromUpstream: true }
}

const withAge = (headers: Fields, age: number): Fields => ({ ...headers, Age: String(Math.floor(age / 1000)) })

/** Whether a conditional request's own copy is this one (RFC 9110 sections 13.1.2 and 13.1.3). */
function isKnown({ etag, changedAt }: StoredHead, request: FieldList): boolean {
  const tags = request.get('if-none-match')
  if (tags !== undefined) {
    if (tags.trim() === '*') return true
    return etag !== undefined && (tags.match(/(?:W\/)?"[^"]*"/g) ?? []).some(tag => opaque(tag) === opaque(etag))
  }
  const since = parseHttpDate(request.get('if-modified-since'))
  return since !== undefined && changedAt <= since
}

/** RFC 9110 section 8.8.3.2: compared weakly, W/"a" and "a" are the same. */
const opaque = (tag: string) => tag.replace(/^W\//, '')
