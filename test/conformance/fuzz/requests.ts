import assert from 'node:assert/strict'
import { setTimeout, setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { RawClient } from '../support/client.ts'
import { cut, faultsIn } from '../support/play-request.ts'
import type { LogLine, Rig } from '../support/rig.ts'
import { takeResponse, values } from '../support/strict.ts'
import { isStricter, isWider, trailersAgree } from './deliberate.ts'
import { framedRequests, knownMethods, type Oracle } from './llhttp.ts'
import { fraction, requestPlan, write } from './messages.ts'
import { change, mutate } from './mutations.ts'
import { within } from './round-trip.ts'

const script = fc.record({
  plans: fc.array(
    requestPlan.filter(({ method }) => method !== 'HEAD'),
    { minLength: 1, maxLength: 3 },
  ),
  changes: fc.array(change, { minLength: 1, maxLength: 3 }),
  places: fc.array(fraction, { maxLength: 3 }),
})

const last = 'GET /sentinel HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

/**
 * Pipelines with a few bytes or lines changed: each request that reaches the backend is one that llhttp frames in the
 * same way, and what llhttp takes but the gateway refuses is refused for a reason that stricter.ts lists.
 */
export function mutatedRequests(rig: Rig) {
  return fc.asyncProperty(script, async ({ plans, changes, places }) => {
    const text = mutate(plans.map(plan => write(plan, ['Host: a'])).join(''), changes) + last
    await compareRequests(rig, text, within(text, places))
  })
}

/** @throws AssertionError when the gateway and llhttp differ in a way that is not meant. */
export async function compareRequests(rig: Rig, text: string, places: readonly number[]): Promise<void> {
  rig.forget()
  const client = new RawClient(rig.port)
  await client.send(cut(text, places))
  await stalled(rig, client)
  client.socket.end()
  const transcript = await client.all()
  await rig.quiet()
  const { violations } = rig.backend
  assert.deepEqual({ violations, faults: faultsIn(rig.log) }, { violations: [], faults: [] })
  judge(rig, transcript, text, framedRequests(text))
}

/**
 * Resolves once nothing moves any more: the client has its answers, or the gateway waits for more. What stands still for
 * a dozen turns may yet be on its way through the kernel, and the FIN that follows would take the client for gone.
 */
async function stalled(rig: Rig, client: RawClient): Promise<void> {
  const state = () =>
    `${client.transcript.length} ${rig.backend.received} ${rig.log.length} ${client.socket.writableLength}`
  for (let still = 0, before = ''; still < 13 && !client.ended; still++) {
    if (still < 12) await turn()
    else await setTimeout(20)
    const now = state()
    if (now !== before) still = 0
    before = now
  }
}

function judge(rig: Rig, transcript: string, text: string, oracle: Oracle): void {
  const requests = rig.backend.requests.map(({ request }) => request)
  let rest = transcript
  let forwarded = 0
  for (let index = 0; rest !== ''; index++) {
    const taken = takeResponse(rest, 0, 'GET', false)
    assert(taken !== undefined, `not a whole response: ${JSON.stringify(rest)}`)
    const { status, fields } = taken.message
    rest = rest.slice(taken.end)
    const theirs = oracle.messages[index]
    if (status === 200) {
      const ours = requests[forwarded++]
      assert(ours !== undefined, 'answered 200 although nothing whole reached the backend')
      const [method = ''] = ours.line.split(' ')
      if (isUnknown(method)) return
      if (theirs === undefined && isWider('request', oracle.error, text)) return
      assert(theirs !== undefined, `forwarded what llhttp does not take (${oracle.error}): ${ours.line}`)
      const { target, body, trailers } = theirs
      assert.deepEqual(
        { method, target: ours.line.split(' ')[1], body: ours.body },
        { method: theirs.method, target: canonical(target), body },
      )
      assert(trailersAgree(ours.trailers, trailers), `trailers ${ours.trailers}, and not ${trailers}`)
    } else {
      const line = logged(rig, values(fields, 'x-request-id')[0])
      if (theirs === undefined && isUnknown(line?.fields.method)) return
      const reason = line?.message ?? 'no reason was logged'
      const meant = theirs === undefined || isStricter('request', reason, text, oracle.skippedBefore(index))
      assert(meant, `refused what llhttp takes, for a reason not listed: ${status} ${reason}`)
    }
    if (values(fields, 'connection').includes('close')) {
      assert.equal(rest, '', 'answered after Connection: close')
      break
    }
    if (rest === '' && !oracle.upgrade) {
      // A request that is refused early is answered before llhttp has it whole.
      assert(oracle.messages.length <= index + 1, 'left unanswered what llhttp takes')
    }
  }
  assert.equal(requests.length, forwarded, 'more reached the backend than was answered')
}

/** RFC 9110 section 9.1: any token is a method; llhttp knows a list. */
const isUnknown = (method: unknown) => typeof method === 'string' && !knownMethods.has(method)

function logged({ log }: Rig, id: string | undefined): LogLine | undefined {
  return log.find(({ fields }) => fields.requestId === id)
}

/** Path and query of a target, empty segments merged and an empty query dropped as the gateway does. */
function canonical(target: string): string {
  const origin = target.replace(/^https?:\/\/[^/?]*/i, '')
  const [path = '', ...query] = (origin.startsWith('/') ? origin : `/${origin}`).split('?')
  const merged = path
    .replace(/[[\]^|]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/%(?:2[dDeE]|5[fF]|7[eE]|3\d|[46][1-9a-fA-F]|[57][\dAa])/g, code => decodeURIComponent(code))
    .replace(/%../g, code => code.toUpperCase())
    .replace(/\/{2,}/g, '/')
  return query.join('?') === '' ? merged : `${merged}?${query.join('?')}`
}
