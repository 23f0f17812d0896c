import { connect } from 'node:net'

/** Connects to a target and hangs up; rejects with why it could not. */
export function connectOnce(url: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const socket = connect(addressOf(url))
  const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs)
  timer.unref()
  const stop = () => socket.destroy()
  signal.addEventListener('abort', stop)
  socket.on('connect', () => {
    resolve()
    socket.destroy()
  })
  socket.on('error', reject)
  socket.on('close', () => {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
    // Settled before, unless it was aborted.
    reject(signal.reason)
  })
  return promise
}

function addressOf(url: string) {
  if (url.startsWith('unix:')) return { path: decodeURIComponent(url.slice('unix:'.length)) }
  const { hostname, port, protocol } = new URL(url)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || (protocol === 'https:' ? 443 : 80) }
}
