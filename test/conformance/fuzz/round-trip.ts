import assert from 'node:assert/strict'
import fc from 'fast-check'
import { RawClient } from '../support/client.ts'
import { cut, faultsIn } from '../support/play-request.ts'
import type { Rig } from '../support/rig.ts'
import { takeResponse } from '../support/strict.ts'
import { bodyOf, fraction, type RequestPlan, type ResponsePlan, requestPlan, responsePlan, write } from './messages.ts'

const places = fc.array(fraction, { maxLength: 6 })

/** Places given as fractions, in bytes of this text and in order. */
export function within(text: string, fractions: readonly number[]): number[] {
  return [...new Set(fractions.map(fraction => Math.floor(fraction * text.length)))].toSorted((a, b) => a - b)
}

const script = fc.record({
  exchanges: fc.array(fc.record({ request: requestPlan, response: responsePlan, places }), {
    minLength: 1,
    maxLength: 5,
  }),
  places,
})

const last = 'GET /sentinel HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

/**
 * Pipelines of sound requests, answered by sound responses, both in pieces: the backend sees exactly the requests that
 * were meant, and the client exactly the responses.
 */
export function roundTrips(rig: Rig) {
  return fc.asyncProperty(script, async ({ exchanges, places }) => {
    rig.forget()
    const { backend } = rig
    backend.answer = () => {
      const plan = exchanges[backend.requests.length - 1]
      if (plan === undefined) return undefined
      const bytes = writeResponse(plan.response, plan.request.method)
      return { pieces: cut(bytes, within(bytes, plan.places)), after: 'keep' }
    }
    const bytes = exchanges.map(({ request }) => write(request, ['Host: a'])).join('') + last
    const client = new RawClient(rig.port)
    await client.send(cut(bytes, within(bytes, places)))
    const transcript = await client.all()
    await rig.quiet()
    const { requests, partial, violations } = backend
    const seen = requests.slice(0, -1).map(({ request: { line, fields, body, trailers, framing } }) => {
      return { line, fields: fields.filter(isRandom), body, trailers, chunked: framing === 'chunked' }
    })
    assert.deepEqual(
      seen,
      exchanges.map(({ request }) => expectedRequest(request)),
    )
    assert.equal(requests.at(-1)?.request.line, 'GET /sentinel HTTP/1.1')
    assert.deepEqual({ partial, violations, faults: faultsIn(rig.log) }, { partial: [], violations: [], faults: [] })
    assert.deepEqual(
      readResponses(transcript, [...exchanges.map(({ request }) => request.method), 'GET']).slice(0, -1),
      exchanges.flatMap(({ request, response }) => expectedResponses(response, request.method)),
    )
  })
}

const isRandom = (line: string) => /^X-/.test(line) && !/^X-(?:Forwarded-|Real-IP|Request-ID)/.test(line)

function expectedRequest(plan: RequestPlan) {
  const { start: line, fields, trailers, framing } = plan
  return { line, fields, body: bodyOf(plan), trailers, chunked: framing === 'chunked' }
}

function writeResponse(plan: ResponsePlan, method: string): string {
  const final = write(plan)
  const sent = method === 'HEAD' ? final.slice(0, final.indexOf('\r\n\r\n') + 4) : final
  return plan.informational.map(info => write(info)).join('') + sent
}

function expectedResponses(plan: ResponsePlan, method: string): object[] {
  const { status, reason, fields, trailers, informational } = plan
  const bodiless = method === 'HEAD'
  const final = { status, reason, fields, body: bodiless ? '' : bodyOf(plan), trailers: bodiless ? [] : trailers }
  const before = informational.map(({ start, fields }) => {
    return { status: Number(start.split(' ')[1]), fields, body: '', trailers: [] }
  })
  return [...before, final]
}

function readResponses(transcript: string, methods: readonly string[]): object[] {
  const seen: object[] = []
  let rest = transcript
  for (let final = 0; rest !== ''; ) {
    const taken = takeResponse(rest, 0, methods[final] ?? 'GET', false)
    assert(taken !== undefined, `not a whole response: ${JSON.stringify(rest)}`)
    const { status, reason, fields, body, trailers } = taken.message
    const random = fields.filter(isRandom)
    if (status < 200) seen.push({ status, fields: random, body, trailers })
    else seen.push({ status, reason, fields: random, body, trailers })
    if (status >= 200) final++
    rest = rest.slice(taken.end)
  }
  return seen
}
