import { once } from 'node:events'
import { type ClientHttp2Session, connect, createServer, type ServerHttp2Stream, type ServerOptions } from 'node:http2'
import { expect } from 'vitest'
import { RawPeer, rawServer } from '../../../core/src/http2/raw-peer.fixture.ts'
import { onCleanup } from '../../support/cleanup.ts'
import { eventually } from '../../support/eventually.ts'
import { type LooseConfig, type RunningGateway, startGateway } from '../../support/gateway.ts'
import { listening } from '../../support/listening.ts'
import { http2Pools as pools } from '../../support/watched.ts'

export { proxyTo } from '../../support/gateway.ts'

/** {@link startGateway}, which also checks that nothing is under way to HTTP/2 upstreams in the end. */
export async function startHttp2Gateway(config: LooseConfig): Promise<RunningGateway> {
  const running = await startGateway(config)
  onCleanup('gateways', () =>
    eventually(() => {
      for (const pool of pools)
        expect({ ...pool.stats, inFlight: pool.inFlight }).toMatchObject({
          busy: 0,
          queued: 0,
          connecting: 0,
          inFlight: 0,
        })
    }),
  )
  onCleanup('checks', async () => {
    for (const pool of pools) expect(pool.stats).toEqual({ open: 0, idle: 0, busy: 0, connecting: 0, queued: 0 })
    pools.clear()
  })
  return running
}

/** A session of a client, closed after the test. */
export async function openSession(port: number, settings: object = {}): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`, { settings })
  session.on('error', () => {})
  const closed = new Promise<void>(resolve => session.once('close', () => resolve()))
  onCleanup('clients', async () => {
    session.destroy()
    await closed
  })
  await once(session, 'remoteSettings')
  return session
}

/** A client by hand, gone after the test. */
export async function rawClient(port: number): Promise<RawPeer> {
  const peer = await RawPeer.connect(port)
  onCleanup('clients', async () => {
    peer.socket.destroy()
    await peer.gone()
  })
  return peer
}

/** A node:http2 server, closed after the test. */
export async function http2Upstream(
  onStream: (stream: ServerHttp2Stream, list: readonly string[]) => void,
  options: ServerOptions = {},
): Promise<string> {
  const server = createServer(options)
  server.on('session', session => session.on('error', () => {}))
  server.on('stream', (stream: ServerHttp2Stream, _headers, _flags, list) => {
    stream.on('error', () => {})
    onStream(stream, list)
  })
  return (await listening(server)).origin
}

/** An upstream by hand, closed after the test. */
export async function rawHttp2Upstream(
  script: (peer: RawPeer, number: number) => Promise<void> | void,
): Promise<{ origin: string; peers: readonly RawPeer[] }> {
  const server = await rawServer(script)
  onCleanup('upstreams', async () => server[Symbol.asyncDispose]())
  return { origin: `http://127.0.0.1:${server.port}`, peers: server.peers }
}
