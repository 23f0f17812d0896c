import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { RawClient } from '../support/client.ts'
import { faultsIn } from '../support/play-request.ts'
import { type Rig, startRig } from '../support/rig.ts'
import { takeResponse, values } from '../support/strict.ts'
import { AbortUpstream, bodyFor, type UpstreamScript } from './abort-upstream.ts'
import { fraction } from './messages.ts'

/** What a client does on one connection. */
export interface ClientScript {
  readonly framing: 'none' | 'length' | 'chunked'
  readonly size: number
  readonly expects: boolean
  /** How much of its request it writes, from 0 to 1. */
  readonly stops: number
  readonly pieces: number
  /** Turns of the event loop between its last byte and what it does then. */
  readonly waits: number
  readonly ends: 'stay' | 'destroy' | 'reset' | 'end'
  /** It reads nothing in that time. */
  readonly deaf: boolean
}

export interface Session {
  readonly client: ClientScript
  readonly upstream: UpstreamScript
}

/** To the end, or up to somewhere, as often as these weights say. */
const part = (whole: number, cut: number) =>
  fc.oneof({ arbitrary: fc.constant(1), weight: whole }, { arbitrary: fraction, weight: cut })
const size = fc.constantFrom(0, 1, 100, 5_000, 70_000, 300_000)

export const session: fc.Arbitrary<Session> = fc.record({
  client: fc.record({
    framing: fc.constantFrom('none', 'length', 'chunked'),
    size,
    expects: fc.boolean(),
    stops: part(3, 1),
    pieces: fc.integer({ min: 1, max: 4 }),
    waits: fc.integer({ min: 0, max: 30 }),
    ends: fc.constantFrom('stay', 'stay', 'stay', 'destroy', 'reset', 'end'),
    deaf: fc.boolean(),
  }),
  upstream: fc.record({
    answers: fc.constantFrom('to the head', 'to the whole', 'to the whole', 'without reading'),
    informational: fc.boolean(),
    framing: fc.constantFrom('length', 'chunked', 'close'),
    size,
    stops: part(1, 1),
    pieces: fc.integer({ min: 1, max: 4 }),
    ends: fc.constantFrom('end', 'reset', 'nothing', 'nothing', 'nothing'),
  }),
})

export interface AbortRig extends Rig {
  readonly upstream: AbortUpstream
}

/** A gateway that is quick to lose patience, so that silence ends within a batch. */
export async function startAbortRig(): Promise<AbortRig> {
  const upstream = new AbortUpstream()
  await upstream.listen()
  const soon = '250ms'
  const rig = await startRig({
    listen: {
      port: 0,
      host: '127.0.0.1',
      limits: { headTimeout: soon, bodyIdleTimeout: soon, writeIdleTimeout: soon, keepAliveTimeout: soon },
    },
    services: { backend: { targets: [upstream.origin], pool: { connections: 8 } } },
    timeouts: { connect: '2s', head: soon, idle: soon },
  })
  const close = async () => {
    await rig.close()
    await upstream.close()
  }
  // Not spread: `log` is a getter.
  return Object.assign(Object.create(rig) as Rig, { upstream, close })
}

const clean: Session = {
  client: { framing: 'length', size: 10, expects: false, stops: 1, pieces: 1, waits: 0, ends: 'stay', deaf: false },
  upstream: {
    answers: 'to the whole',
    informational: false,
    framing: 'length',
    size: 10,
    stops: 1,
    pieces: 1,
    ends: 'nothing',
  },
}

/**
 * Clients and upstreams that give up at any moment, many at once. Nobody sees another's bytes, what was cut off never looks
 * whole, every connection comes to its end, and afterwards nothing is left and the gateway serves as before.
 */
export function aborts(rig: AbortRig) {
  return fc.asyncProperty(fc.array(session, { minLength: 1, maxLength: 24 }), async sessions => {
    rig.forget()
    rig.upstream.complaints = []
    const play = (one: Session, mustServe = false) => playSession(rig.upstream, new RawClient(rig.port), one, mustServe)
    await Promise.all(sessions.map(one => play(one)))
    await rig.quiet()
    await play(clean, true)
    await rig.quiet()
    assert.deepEqual({ complaints: rig.upstream.complaints, faults: faultsIn(rig.log) }, { complaints: [], faults: [] })
  })
}

/** Plays both sides of a session. @throws when the client was told anything but what the upstream meant. */
export async function playSession(
  abortUpstream: AbortUpstream,
  client: RawClient,
  { client: script, upstream }: Session,
  mustServe = false,
): Promise<void> {
  const id = abortUpstream.add(upstream)
  if (script.deaf) client.socket.pause()
  const bytes = requestBytes(script, id)
  const sent = bytes.slice(0, Math.floor(bytes.length * script.stops))
  const size = Math.max(1, Math.ceil(sent.length / script.pieces))
  const pieces = Array.from({ length: Math.ceil(sent.length / size) }, (_, i) => sent.slice(i * size, (i + 1) * size))
  await client.send(pieces)
  for (let turns = 0; turns < script.waits; turns++) await turn()
  if (script.ends === 'reset') client.reset()
  if (script.ends === 'destroy') client.socket.destroy()
  if (script.ends === 'end') client.socket.end()
  client.socket.resume()
  const answered = () => takeAnswer(client.transcript) !== undefined
  // Also who only stays must be rid of: answered, or closed by a timeout.
  await client.until(() => client.ended || answered())
  client.socket.destroy()
  const seen = takeAnswer(client.transcript)
  if (seen?.status === 200) assertMeant(id, upstream, values(seen.fields, 'x-script')[0], seen.body)
  if (mustServe) assert.equal(seen?.status, 200, `a sound request was not served: ${client.transcript}`)
}

/** A whole response with status 200 is what the script says. */
export function assertMeant(id: number, script: UpstreamScript, answers: unknown, body: string): void {
  assert.equal(answers, String(id), 'the answer to another request')
  const meant = bodyFor(id, script.size)
  // Of a body that the close ends nobody can tell that it ended too soon.
  const cut = script.stops < 1 && script.framing === 'close' && script.ends === 'end'
  assert.equal(body, cut ? meant.slice(0, body.length) : meant, 'what looks whole is not what the upstream meant')
}

function takeAnswer(transcript: string) {
  for (let at = 0; ; ) {
    // Not `ended`: a response without framing does not go to an HTTP/1.1 client.
    const taken = takeResponse(transcript, at, 'GET', false)
    if (taken === undefined || taken.message.status >= 200) return taken?.message
    at = taken.end
  }
}

function requestBytes({ framing, size, expects }: ClientScript, id: number): string {
  const expect = expects && framing !== 'none' ? 'Expect: 100-continue\r\n' : ''
  const head = `${framing === 'none' ? 'GET' : 'POST'} /${id} HTTP/1.1\r\nHost: a\r\nX-Script: ${id}\r\n${expect}`
  const body = bodyFor(id, size)
  if (framing === 'none') return `${head}\r\n`
  if (framing === 'length') return `${head}Content-Length: ${size}\r\n\r\n${body}`
  return `${head}Transfer-Encoding: chunked\r\n\r\n${size === 0 ? '' : `${size.toString(16)}\r\n${body}\r\n`}0\r\n\r\n`
}
