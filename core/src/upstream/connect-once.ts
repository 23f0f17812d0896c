import { TLSSocket } from 'node:tls'
import type { TargetConnection } from '../contract/hooks.ts'
import { connect } from './connect.ts'
import type { UpstreamTarget } from './target.ts'

/** Connects to a target as its pool does, and hangs up. */
export function connectOnce(
  { pool: { endpoint } }: UpstreamTarget,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<TargetConnection> {
  if (endpoint === undefined) return Promise.resolve({ certificateEnds: undefined })
  const { promise, resolve, reject } = Promise.withResolvers<TargetConnection>()
  if (signal?.aborted) return Promise.reject(signal.reason)
  const giveUp = connect(endpoint, timeoutMs, {
    onSocket(socket) {
      signal?.removeEventListener('abort', abort)
      const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined
      resolve({ certificateEnds: certificate?.validToDate })
      // A server may be cross about a connection without a request; nobody is left to hear it.
      socket.on('error', () => {})
      socket.destroy()
    },
    onConnectError(error) {
      signal?.removeEventListener('abort', abort)
      reject(error)
    },
  })
  const abort = () => {
    giveUp()
    reject(signal?.reason)
  }
  signal?.addEventListener('abort', abort)
  return promise
}
