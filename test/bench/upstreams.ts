import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { nginx } from './peers.ts'
import { folder, loadCore, type Running, start } from './processes.ts'

/** Where the proxies send to; both on the core of the load generator. */
export interface Upstreams {
  /** Nginx: 57 bytes of JSON at every path, but for /1mb and /100mb. */
  readonly files: number
  /** Takes whole bodies; see sink.ts. */
  readonly sink: number
  /** WebSockets and event streams; see streams-upstream.ts. */
  readonly streams: number
  stop(): Promise<void>
}

export async function startUpstreams(): Promise<Upstreams> {
  const at = { folder: join(folder, 'upstream') }
  mkdirSync(at.folder)
  for (const [name, bytes] of [
    ['1mb', 1e6],
    ['100mb', 1e8],
  ] as const) {
    const file = join(at.folder, name)
    writeFileSync(file, '')
    truncateSync(file, bytes)
  }
  const files = await freePort()
  const { program, args } = nginx(
    at,
    'off',
    4_096,
    `
    server {
      listen 127.0.0.1:${files} backlog=1024;
      root ${at.folder};
      default_type application/json;
      location / { return 200 '{"message":"hello from the backend server, 57 bytes...!"}'; }
      location ~ mb$ { }
    }`,
  )
  const sink = await freePort()
  const streams = await freePort()
  const options = { cores: loadCore, output: join(folder, 'upstreams.log') }
  const running = [
    start(program, args, options),
    start(process.execPath, [join(import.meta.dirname, 'sink.ts'), String(sink)], options),
    start(process.execPath, [join(import.meta.dirname, 'streams-upstream.ts'), String(streams)], options),
  ] as const
  await Promise.all([
    untilListening(running[0], files),
    untilListening(running[1], sink),
    untilListening(running[2], streams),
  ])
  return { files, sink, streams, stop: async () => void (await Promise.all(running.map(one => one.stop()))) }
}

/** A port below those that the system hands out to clients: no connection of the bench's own can be on it. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    const server = createServer()
    const free = await new Promise<boolean>(resolve => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
    })
    if (free) return port
  }
}

/** Resolves once the program takes connections; rejects with what it printed when it ends before that. */
export async function untilListening(running: Running, port: number): Promise<void> {
  let over = false
  void running.ended.then(() => (over = true))
  for (let tries = 0; tries < 600; tries++) {
    if (over) throw new Error(`it ended: ${running.output()}`)
    if (await accepts(port)) return
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  throw new Error(`it does not listen after 30 s: ${running.output()}`)
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
