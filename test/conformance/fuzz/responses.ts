import assert from 'node:assert/strict'
import fc from 'fast-check'
import { RawClient } from '../support/client.ts'
import { cut, faultsIn } from '../support/play-request.ts'
import type { Rig } from '../support/rig.ts'
import { type ParsedResponse, takeResponse, values } from '../support/strict.ts'
import { isBeyondOracle, isStricter, isWider, trailersAgree } from './deliberate.ts'
import { framedResponses } from './llhttp.ts'
import { fraction, responsePlan, write } from './messages.ts'
import { change, mutate } from './mutations.ts'
import { within } from './round-trip.ts'

const script = fc.record({
  method: fc.constantFrom('GET', 'GET', 'POST', 'HEAD'),
  plan: responsePlan,
  changes: fc.array(change, { minLength: 1, maxLength: 3 }),
  places: fc.array(fraction, { maxLength: 3 }),
})

/**
 * Responses with a few bytes or lines changed, from an upstream that closes after them: what the client gets whole is what
 * llhttp frames, and what llhttp takes but the client does not get is refused for a reason that stricter.ts lists.
 */
export function mutatedResponses(rig: Rig) {
  return fc.asyncProperty(script, async ({ method, plan, changes, places }) => {
    const informational = plan.informational.map(info => write(info)).join('')
    const text = mutate(informational + write(plan), changes)
    await compareResponses(rig, text, method, within(text, places))
  })
}

/** @throws AssertionError when the gateway and llhttp differ in a way that is not meant. */
export async function compareResponses(
  rig: Rig,
  text: string,
  method: string,
  places: readonly number[],
): Promise<void> {
  rig.forget()
  rig.backend.answer = () => ({ pieces: cut(text, places), after: 'close' })
  const client = new RawClient(rig.port)
  await client.send([`${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`])
  const transcript = await client.all()
  await rig.quiet()
  assert.deepEqual(faultsIn(rig.log), [])
  const seen = read(transcript, method)
  if (isBeyondOracle(text)) return
  const oracle = framedResponses(text, method)
  const final = oracle.messages.findIndex(({ status }) => status >= 200)
  const theirs = oracle.messages[final]
  if (seen.final === undefined || isOwn(seen.final)) {
    const { message = 'no reason was logged' } = rig.log.find(({ level }) => level === 'error') ?? {}
    const reason = message.replace(/^http:\/\/[^ ]+: /, '')
    const skipped = Array.from({ length: final + 1 }, (_, index) => oracle.skippedBefore(index)).join('')
    const meant = theirs === undefined || isStricter('response', reason, text, skipped)
    assert(meant, `refused what llhttp takes, for a reason not listed: ${reason}`)
    return
  }
  if (theirs === undefined && isWider('response', oracle.error, text)) return
  assert(theirs !== undefined, `passed on what llhttp does not take: ${oracle.error}`)
  const { status, body, trailers } = seen.final
  assert.deepEqual(
    { informational: seen.informational, status, body },
    {
      informational: oracle.messages.slice(0, final).map(message => message.status),
      status: theirs.status,
      body: theirs.body,
    },
  )
  assert(trailersAgree(trailers, theirs.trailers), `trailers ${trailers}, and not ${theirs.trailers}`)
}

function read(transcript: string, method: string): { informational: number[]; final: ParsedResponse | undefined } {
  const informational: number[] = []
  let at = 0
  for (;;) {
    const taken = takeResponse(transcript, at, method, false)
    if (taken === undefined) return { informational, final: undefined }
    at = taken.end
    if (taken.message.status < 200) {
      informational.push(taken.message.status)
      continue
    }
    assert.equal(at, transcript.length, 'more than one response')
    return { informational, final: taken.message }
  }
}

function isOwn(response: ParsedResponse): boolean {
  return response.status === 502 && values(response.fields, 'content-type')[0] === 'application/problem+json'
}
