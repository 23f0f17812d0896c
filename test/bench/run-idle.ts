import { connect, type Socket } from 'node:net'
import type { Contender, IdleCase } from './cases.ts'
import { runLoad } from './load.ts'
import { memoryOf } from './measure.ts'
import { startProxy } from './proxies.ts'
import { megabytes, type Row, type Table } from './report.ts'
import type { Upstreams } from './upstreams.ts'

const answerMs = 30_000
/** Connections that are opened at the same time: less than any listener's backlog. */
const batch = 200

/** One contender after the other: each holds all the connections by itself. */
export async function runIdleCase(
  { connections, stream }: IdleCase,
  contenders: readonly Contender[],
  upstreams: Upstreams,
  limit: number,
): Promise<Table> {
  const count = Math.min(connections, limit)
  const rows: Row[] = []
  for (const contender of contenders) {
    rows.push(await rowOf(contender, stream === undefined ? upstreams.files : upstreams.streams, count, stream))
  }
  return { figure: 'KB per connection', headings: ['connections', 'resident before', 'resident after', 'peak'], rows }
}

async function rowOf(contender: Contender, upstream: number, count: number, stream: IdleCase['stream']): Promise<Row> {
  const { label } = contender
  const sockets: Socket[] = []
  try {
    await using proxy = await disposable(startProxy(contender, upstream, count + 500))
    const { port } = new URL(proxy.origin)
    // What a first load makes it allocate is not the connections' doing.
    await runLoad({ tool: 'wrk', connections: 64, path: '/' }, proxy.origin, 1)
    const before = memoryOf(proxy.pid)
    let refused = 0
    while (sockets.length < count) {
      const opened = Array.from({ length: Math.min(batch, count - sockets.length) }, () =>
        openIdle(Number(port), opening[stream ?? 'request']),
      )
      for (const { socket, answered } of opened) {
        sockets.push(socket)
        if (!(await answered)) refused++
      }
    }
    const after = memoryOf(proxy.pid)
    const lost = sockets.filter(socket => socket.destroyed || socket.readableEnded).length
    const cells = [String(count), megabytes(before.resident), megabytes(after.resident), megabytes(after.peak)]
    const errors = [...(refused > 0 ? [`${refused} got no answer`] : []), ...(lost > 0 ? [`${lost} closed`] : [])]
    return { label, figure: (after.resident - before.resident) / count / 1e3, cells, errors: errors.join(', ') }
  } catch (error) {
    const errors = String(error instanceof Error ? error.message : error).replaceAll(/\s+/g, ' ')
    return { label, figure: undefined, cells: [], errors }
  } finally {
    for (const socket of sockets) socket.destroy()
  }
}

async function disposable<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T & AsyncDisposable> {
  const running = await starting
  return { ...running, [Symbol.asyncDispose]: () => running.stop() }
}

interface Opening {
  readonly path: string
  readonly lines: string
  /** How the answer begins, and what is the last of it before the silence. */
  readonly begin: string
  readonly end: string
}

const handshake = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
const opening: Readonly<Record<'request' | 'websocket' | 'events', Opening>> = {
  request: { path: '/', lines: '', begin: 'HTTP/1.1 200', end: 'bytes...!"}' },
  websocket: {
    path: '/socket',
    lines: `Connection: Upgrade\r\nUpgrade: websocket\r\n${handshake}`,
    begin: 'HTTP/1.1 101',
    end: '\r\n\r\n',
  },
  events: { path: '/events', lines: '', begin: 'HTTP/1.1 200', end: 'data: hello\n\n\r\n' },
}

/** A connection that sends one request and is left alone; `answered` is false when it closes before an answer. */
function openIdle(port: number, { path, lines, begin, end }: Opening): { socket: Socket; answered: Promise<boolean> } {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${lines}\r\n`)
  })
  const answered = new Promise<boolean>(resolve => {
    let text = ''
    socket.on('data', chunk => {
      text += chunk.toString('latin1')
      if (text.includes(end)) resolve(text.startsWith(begin))
    })
    socket.setTimeout(answerMs, () => resolve(false))
    socket.on('error', () => resolve(false))
    socket.on('close', () => resolve(false))
  })
  return { socket, answered }
}
