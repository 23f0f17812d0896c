import { type ClientHttp2Session, constants } from 'node:http2'
import { setImmediate as turn } from 'node:timers/promises'
import { type AbortUpstream, bodyFor } from '../conformance/fuzz/abort-upstream.ts'
import { assertMeant, type Session } from '../conformance/fuzz/aborts.ts'

/** {@link playSession} over HTTP/2, on a connection of its own, which ends with it. */
export async function playHttp2(
  upstream: AbortUpstream,
  connection: ClientHttp2Session,
  { client: script, upstream: theirs }: Session,
): Promise<void> {
  const id = upstream.add(theirs)
  const { framing, size, stops, pieces, ends } = script
  const stream = connection.request(
    {
      ':method': framing === 'none' ? 'GET' : 'POST',
      ':path': `/${id}`,
      'x-script': `${id}`,
      ...(framing === 'length' ? { 'content-length': size } : {}),
      ...(script.expects && framing !== 'none' ? { expect: '100-continue' } : {}),
    },
    { endStream: framing === 'none' },
  )
  // Not events.once, which rejects when the stream was reset.
  const closed = new Promise<void>(resolve => stream.once('close', () => resolve()))
  stream.on('error', () => {})
  let head: Record<string, unknown> = {}
  let body = ''
  let ended = false
  stream.setEncoding('latin1')
  stream.on('response', fields => (head = fields))
  stream.on('end', () => {
    ended = true
    // Nobody wants the rest of the request.
    if (stops < 1) stream.close(constants.NGHTTP2_CANCEL)
  })

  if (framing !== 'none') {
    const sent = bodyFor(id, size).slice(0, Math.floor(size * stops))
    const length = Math.max(1, Math.ceil(sent.length / pieces))
    for (let at = 0; at < sent.length && !stream.destroyed; at += length) {
      stream.write(sent.slice(at, at + length))
      await turn()
    }
    if (stops === 1) stream.end()
  }
  if (!script.deaf) stream.on('data', text => (body += text))
  for (let turns = 0; turns < script.waits; turns++) await turn()
  if (ends === 'destroy') stream.close(constants.NGHTTP2_CANCEL)
  if (ends === 'reset') stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  if (ends === 'end') connection.destroy()
  if (script.deaf) stream.on('data', text => (body += text))
  await closed
  connection.close()
  const whole = ended && ends === 'stay' && (stops < 1 || stream.rstCode === 0)
  if (whole && head[':status'] === 200) assertMeant(id, theirs, head['x-script'], body)
}
