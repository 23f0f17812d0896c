import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { connect as tlsConnect } from 'node:tls'
import type { Contender } from './cases.ts'
import { certificate } from './certificate.ts'
import { peers } from './peers.ts'
import { folder, proxyCore, type Running, start } from './processes.ts'
import { freePort, untilListening } from './upstreams.ts'

export interface RunningProxy extends Running {
  readonly origin: string
}

let started = 0

/** Starts a contender in front of an upstream; rejects when it does not answer a request as it should. */
export async function startProxy(contender: Contender, upstream: number, connections: number): Promise<RunningProxy> {
  const port = await freePort()
  const own = join(folder, `${contender.peer}-${++started}`)
  const { program, args, env } = await peers[contender.peer].command({
    port,
    upstream,
    folder: own,
    connections,
    accessLog: contender.accessLog ?? false,
    tls: contender.tls ? await certificate() : undefined,
    routes: contender.routes,
    workers: contender.workers,
    streams: contender.streams ?? false,
    plugins: contender.plugins,
  })
  const output = `${own}.log`
  const running = start(program, args, { cores: contender.cores ?? proxyCore, output, ...(env && { env }) })
  try {
    await untilListening(running, port)
  } catch (error) {
    await running.stop()
    throw error
  }
  return { ...running, origin: `${contender.tls ? 'https' : 'http'}://127.0.0.1:${port}` }
}

/** One request as the load will send them, since wrk counts a redirect as an answer; resolves with the complaint. */
export function tryOnce(
  url: string,
  method: string,
  body: Buffer,
  token: string | undefined,
): Promise<string | undefined> {
  const request = url.startsWith('https:') ? httpsRequest : httpRequest
  const headers = { 'content-length': body.length, ...(token && { authorization: `Bearer ${token}` }) }
  return new Promise(resolve => {
    const client = request(url, { method, headers, rejectUnauthorized: false, agent: false }, response => {
      let bytes = 0
      response.on('data', (chunk: Buffer) => (bytes += chunk.length))
      response.on('error', error => resolve(String(error)))
      response.on('end', () => {
        if (response.statusCode !== 200) resolve(`it answers ${response.statusCode}`)
        else resolve(bytes === expectedSize(url) ? undefined : `it answers with ${bytes} bytes`)
      })
    })
    client.setTimeout(10_000, () => client.destroy(new Error('no answer in 10 s')))
    client.on('error', error => resolve(String(error)))
    client.end(body)
  })
}

const expectedSize = (url: string): number => (url.endsWith('/100mb') ? 1e8 : url.endsWith('/1mb') ? 1e6 : 57)

/** What a TLS listener agrees to when it is offered HTTP/2. */
export function negotiated(origin: string): Promise<string | false | null> {
  const { hostname: host, port } = new URL(origin)
  return new Promise((resolve, reject) => {
    const options = { host, port: Number(port), ALPNProtocols: ['h2', 'http/1.1'], rejectUnauthorized: false }
    const socket = tlsConnect(options, () => {
      resolve(socket.alpnProtocol)
      socket.destroy()
    })
    socket.on('error', reject)
  })
}
