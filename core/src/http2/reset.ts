import { constants, type Http2Stream } from 'node:http2'
import { addAbortSignal } from 'node:stream'

const aborted = AbortSignal.abort()

/**
 * Gives a stream up with RST_STREAM. Not with `stream.close(code)`, which sends what is queued and END_STREAM before the
 * reset, so that a message cut short looks complete; `destroy()` does not, and takes its code from the kind of error:
 * an abort is CANCEL, any other error INTERNAL_ERROR, none NO_ERROR.
 */
export function resetStream(stream: Http2Stream, code: ResetCode): void {
  if (stream.destroyed) return
  // Whatever listened has been told; the error that destroy() makes must not end the process.
  stream.on('error', ignore)
  if (code === constants.NGHTTP2_CANCEL) addAbortSignal(aborted, stream)
  else if (code === constants.NGHTTP2_NO_ERROR) stream.destroy()
  else stream.destroy(new Error('the stream is given up'))
}

export type ResetCode =
  | typeof constants.NGHTTP2_NO_ERROR
  | typeof constants.NGHTTP2_INTERNAL_ERROR
  | typeof constants.NGHTTP2_CANCEL

export function ignore(): void {}
