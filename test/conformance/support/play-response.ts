import { setImmediate as turn } from 'node:timers/promises'
import { RawClient } from './client.ts'
import { faultsIn } from './play-request.ts'
import type { ResponseCase } from './response-case.ts'
import type { Rig } from './rig.ts'
import { type ParsedResponse, takeResponse, Violation, values } from './strict.ts'

/** Follows on the same connection, and shows whether anything of the first response is left in the way. */
const next = 'GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

/** What came of a case, in a form that is compared with {@link expectation}'s. */
export interface ResponseObservation {
  readonly kind: string
  readonly informational: readonly object[]
  readonly final: object | undefined
  /** The next request on the connection was answered as it should be. */
  readonly next: boolean
  readonly reused: boolean | undefined
  readonly violation: string
  readonly faults: readonly string[]
}

/** Has the upstream answer in these pieces and tells what the client saw. */
export async function playResponse(
  rig: Rig,
  testCase: ResponseCase,
  pieces: readonly string[],
): Promise<ResponseObservation> {
  const { ask, after, early, bytes, verdict } = testCase
  rig.forget()
  const method = ask.slice(0, ask.indexOf(' '))
  const answer = (line: string) => (line.includes(' /case ') ? { pieces, after } : undefined)
  if (early) rig.backend.early = answer
  else rig.backend.answer = request => answer(request.line)
  const client = new RawClient(rig.port)
  await client.send([ask])
  await client.until(() => client.ended || read(client.transcript, method, false).final !== undefined)
  // What the upstream sends beyond its response must have arrived before the next request could mistake it for its own.
  while (rig.backend.busy && !client.ended) await turn()
  for (let turns = 0; turns < 3; turns++) await turn()
  const answered = client.transcript.length
  const open = !client.ended
  if (open) await client.send([next])
  const transcript = await client.all()
  await rig.quiet()
  const seen = read(open ? transcript.slice(0, answered) : transcript, method, true)
  const follow = read(transcript.slice(answered), 'GET', true)
  const [first, second] = rig.backend.requests.slice(-2)
  return {
    kind: verdict.kind === 'cut off' && !verdict.body.startsWith(bodySoFar(seen)) ? 'more than was sent' : kindOf(seen),
    informational: seen.informational.map(({ status, fields }) => [status, ...fields]),
    final: seen.final === undefined || isOwn(seen.final) ? undefined : tidy(seen.final, bytes),
    next: follow.final?.status === 200 && follow.final.body === 'ok' && follow.rest === '',
    reused: verdict.kind === 'passed' && open ? first?.connection === second?.connection : undefined,
    violation: seen.violation,
    faults: faultsIn(rig.log),
  }
}

/** What a case must come to. */
export function expectation({ verdict }: ResponseCase): ResponseObservation {
  const common = { violation: '', faults: [] }
  if (verdict.kind === 'cut off') {
    return { kind: 'cut off', informational: [], final: undefined, next: false, reused: undefined, ...common }
  }
  const { kind, informational } = verdict
  if (verdict.kind === 'bad gateway') {
    return { kind, informational, final: undefined, next: true, reused: undefined, ...common }
  }
  const { kind: _, informational: __, reused, closes, ...final } = verdict
  return { kind, informational, final, next: !closes, reused: closes ? undefined : reused, ...common }
}

interface Seen {
  readonly informational: readonly ParsedResponse[]
  readonly final: ParsedResponse | undefined
  readonly rest: string
  readonly violation: string
}

function read(text: string, method: string, ended: boolean): Seen {
  const informational: ParsedResponse[] = []
  let rest = text
  try {
    for (;;) {
      const taken = takeResponse(rest, 0, method, ended)
      if (taken === undefined) return { informational, final: undefined, rest, violation: '' }
      rest = rest.slice(taken.end)
      if (taken.message.status >= 200) return { informational, final: taken.message, rest, violation: '' }
      informational.push(taken.message)
    }
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    return { informational, final: undefined, rest, violation: error.message }
  }
}

function kindOf({ final, rest, violation }: Seen): string {
  if (violation !== '') return 'garbled'
  if (final === undefined) return 'cut off'
  if (rest !== '') return `more than a response: ${rest}`
  return isOwn(final) ? 'bad gateway' : 'passed'
}

/** Of a response that is not whole: the data of its chunks, or what follows its head. */
function bodySoFar({ rest }: Seen): string {
  const end = rest.indexOf('\r\n\r\n')
  const [head, body] = end === -1 ? ['', ''] : [rest.slice(0, end), rest.slice(end + 4)]
  if (!/\r\ntransfer-encoding: chunked/i.test(head)) return body
  return body
    .split('\r\n')
    .filter((_, index) => index % 2 === 1)
    .join('')
}

function isOwn(response: ParsedResponse): boolean {
  return response.status === 502 && values(response.fields, 'content-type')[0] === 'application/problem+json'
}

/** Without the fields that the gateway adds to each response. */
function tidy({ framing: _, fields, ...rest }: ParsedResponse, sent: string): object {
  const own = (line: string) =>
    line.startsWith('X-Request-ID: ') ||
    line === 'Connection: close' ||
    (line.startsWith('Date: ') && !sent.includes(line))
  return { ...rest, fields: fields.filter(line => !own(line)) }
}
