import type { Recorded } from './backend.ts'
import { RawClient } from './client.ts'
import type { Outcome, RequestCase } from './request-case.ts'
import type { Rig } from './rig.ts'
import { takeResponse, Violation, values } from './strict.ts'

/**
 * Follows every message on its connection: if the gateway and the table disagree about where the message ends, this one
 * arrives in pieces, or not at all.
 */
const sentinel = 'GET /sentinel HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

/** What came of a case, in a form that is compared with {@link expectation}'s. */
export interface Observation {
  /** Statuses that the client saw, in order, whole responses only. */
  readonly statuses: readonly number[]
  /** What the client got that is no whole response. */
  readonly garbled: string
  readonly requests: readonly object[]
  /** Parts of requests at the backend, where no fault came late enough to allow them. */
  readonly partial: readonly string[]
  readonly violations: readonly string[]
  /** Errors that only a fault in the gateway can cause. */
  readonly faults: readonly string[]
}

/** The message cut into pieces at these places, of which any may lie beyond its end. */
export function cut(bytes: string, places: readonly number[]): string[] {
  const within = places.filter(place => place > 0 && place < bytes.length)
  const bounds = [0, ...within, bytes.length]
  return bounds.slice(1).map((end, index) => bytes.slice(bounds[index], end))
}

/** Sends a case's bytes in these pieces and tells what came of them. */
export async function playRequest(rig: Rig, testCase: RequestCase, pieces: readonly string[]): Promise<Observation> {
  rig.forget()
  const outcomes = testCase.slice(3) as Outcome[]
  const ends = outcomes.at(-1)?.kind === 'dropped'
  const client = new RawClient(rig.port)
  // Every second time the sentinel comes in the same write as the end of the message.
  const glued = pieces.length % 2 === 1
  const last = pieces.at(-1) ?? ''
  const all = ends ? pieces : glued ? [...pieces.slice(0, -1), last + sentinel] : [...pieces, sentinel]
  await client.send(all)
  if (ends) {
    const whole = outcomes.length - 1
    await client.until(() => count(client.transcript, 'HTTP/1.1 ') >= whole)
    client.socket.end()
  }
  const transcript = await client.all()
  await rig.quiet()
  const methods = [
    ...outcomes.map(outcome => (outcome.kind === 'forwarded' ? outcome.line.split(' ')[0] : 'GET')),
    'GET',
  ]
  const late = outcomes.some(({ kind, ...more }) => kind === 'dropped' || ('late' in more && more.late))
  return { ...readAnswers(transcript, methods), ...atBackend(rig, late) }
}

/** What a case must come to. */
export function expectation(rig: Rig, testCase: RequestCase): Observation {
  const outcomes = testCase.slice(3) as Outcome[]
  const statuses: number[] = []
  const requests: object[] = []
  let goesOn = true
  for (const outcome of outcomes) {
    if (outcome.kind === 'dropped') {
      if (outcome.status !== undefined) statuses.push(outcome.status)
      goesOn = false
    } else if (outcome.kind === 'refused') {
      statuses.push(outcome.status)
      goesOn = outcome.kept
    } else {
      statuses.push(200)
      const { kind: _, closes, host, via, ...seen } = outcome
      requests.push({ ...seen, own: ownLines(rig, host, via) })
      goesOn = !closes
    }
  }
  if (goesOn) {
    statuses.push(200)
    const own = ownLines(rig, 'a', '1.1 gateway')
    requests.push({ line: 'GET /sentinel HTTP/1.1', fields: [], body: '', trailers: [], framing: 'none', own })
  }
  return { statuses, garbled: '', requests, partial: [], violations: [], faults: [] }
}

function count(text: string, part: string): number {
  return text.split(part).length - 1
}

function readAnswers(transcript: string, methods: readonly (string | undefined)[]) {
  const statuses: number[] = []
  let at = 0
  try {
    for (;;) {
      const taken = takeResponse(transcript, at, methods[statuses.length] ?? 'GET', true)
      if (taken === undefined) break
      statuses.push(taken.message.status)
      at = taken.end
    }
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    return { statuses, garbled: `${error.message}: ${transcript.slice(at)}` }
  }
  return { statuses, garbled: transcript.slice(at) }
}

function ownLines(rig: Rig, host: string | undefined, via: string): string[] {
  return [
    `Host: ${new URL(rig.backend.origin).host}`,
    `Via: ${via}`,
    'X-Forwarded-For: 127.0.0.1',
    ...(host === undefined ? [] : [`X-Forwarded-Host: ${host}`]),
    'X-Forwarded-Proto: http',
    'X-Real-IP: 127.0.0.1',
    'X-Request-ID: *',
  ]
}

function atBackend(
  { backend, log }: Rig,
  late: boolean,
): Pick<Observation, 'requests' | 'partial' | 'violations' | 'faults'> {
  return {
    requests: backend.requests.map(sortOut),
    partial: late ? [] : backend.partial,
    violations: backend.violations,
    faults: faultsIn(log),
  }
}

/** Log lines of errors that no peer can cause. */
export function faultsIn(log: Rig['log']): string[] {
  return log
    .filter(({ message, fields }) => fields.code === 'GATEWAY_INTERNAL' || message === 'an exchange failed')
    .map(({ message, fields }) => `${message} ${fields.err instanceof Error ? fields.err.stack : ''}`)
}

const ownNames = ['host', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'x-request-id']

/** Parts the fields that the gateway writes from those that are the client's. */
function sortOut({ request }: Recorded): object {
  const { fields: lines, framing, body, ...rest } = request
  const own: string[] = []
  const fields: string[] = []
  // The gateway's Via is the last one.
  const via = lines.findLastIndex(line => line.startsWith('Via: '))
  for (const [index, line] of lines.entries()) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase()
    if (name === 'x-request-id') own.push('X-Request-ID: *')
    else if (ownNames.includes(name) || index === via) own.push(line)
    else if (name !== 'transfer-encoding' && name !== 'content-length') fields.push(line)
  }
  const [length] = values(lines, 'content-length')
  // A body of no bytes may be said to be one: that is for the tables of methods to say.
  const told = framing === 'none' && length !== undefined && length !== '0' ? `length ${length}` : framing
  return { ...rest, body, framing: told, fields, own: own.toSorted() }
}
