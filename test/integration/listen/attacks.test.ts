import type { RequestListener } from 'node:http'
import { connect as connectSocket, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import {
  END_HEADERS,
  END_STREAM,
  frame,
  get,
  HEADERS,
  post,
  preface,
  SETTINGS,
  setting,
} from '../../../core/src/http2/raw-peer.fixture.ts'
import { type ChildGateway, startChildGateway } from '../../support/child-gateway.ts'
import { onCleanup } from '../../support/cleanup.ts'
import { eventually } from '../../support/eventually.ts'
import { proxyTo } from '../../support/gateway.ts'
import { startUpstream } from '../../support/upstream.ts'
import { exchange } from '../../support/wire.ts'

/** Connections that an address may have by default. */
const perAddress = 1_000
const soon = '1s'
const MB = 1 << 20
/** What the gateway may grow by: 320 KB for each of 2,000 connections, of whose response 64 KB wait. */
const allowance = 640 * MB

/** Answers with as many bytes as the path asks for, once it has the whole request. */
const upstream: RequestListener = (request, response) => {
  response.on('error', () => {})
  request.on('error', () => {})
  request.resume().on('end', () => response.end(Buffer.alloc(Number(request.url?.slice(1)))))
}

async function startTarget(): Promise<ChildGateway> {
  const { origin } = await startUpstream(upstream)
  const limits = { headTimeout: soon, bodyIdleTimeout: soon, writeIdleTimeout: soon, keepAliveTimeout: soon }
  return startChildGateway(proxyTo(origin, { listen: { limits } }))
}

interface Attack {
  readonly name: string
  readonly connections: number
  /** Sent at once, and `drip` again and again. */
  readonly start: string | Uint8Array
  readonly drip?: string
  /** Takes nothing of what it is sent. */
  readonly deaf?: boolean
  /** What the time limits end. Default: the connections, which otherwise linger for a client that goes on sending. */
  readonly ends?: 'exchanges'
}

/** Clients of addresses of their own, so that the limit for each leaves the others theirs. */
async function attack(port: number, { connections, start, drip, deaf }: Attack): Promise<Set<Socket>> {
  const open = new Set<Socket>()
  const opened = Array.from({ length: connections }, (_, number) => {
    const localAddress = `127.0.0.${2 + Math.floor(number / perAddress)}`
    const socket = connectSocket({ port, host: '127.0.0.1', localAddress })
    open.add(socket)
    socket.on('error', () => {})
    if (deaf !== true) socket.resume()
    return new Promise<void>(resolve => {
      socket.on('close', () => {
        open.delete(socket)
        resolve()
      })
      socket.on('connect', () => {
        socket.write(start)
        resolve()
      })
    })
  })
  const timer = setInterval(() => {
    for (const socket of open) if (drip !== undefined && socket.writable) socket.write(drip)
  }, 400)
  onCleanup('clients', async () => {
    clearInterval(timer)
    for (const socket of open) socket.destroy()
  })
  await Promise.all(opened)
  return open
}

const begun = Array.from({ length: 100 }, (_, number) => frame(HEADERS, END_HEADERS, 2 * number + 1, post('/10')))
const windowOfNothing = frame(SETTINGS, 0, 0, setting(4, 0))

test.each<Attack>([
  { name: 'heads', connections: 2_000, start: 'GET / HT', drip: 'T' },
  {
    name: 'bodies',
    connections: 2_000,
    start: 'POST /10 HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n',
    drip: 'x',
    ends: 'exchanges',
  },
  // Of so many bytes the kernel takes four megabytes for each. With 2,000 it would be its memory that is attacked.
  { name: 'readers', connections: 100, start: `GET /${8 * MB} HTTP/1.1\r\nHost: a\r\n\r\n`, deaf: true },
  {
    name: 'readers by a window of nothing',
    connections: 2_000,
    start: Buffer.concat([preface, windowOfNothing, frame(HEADERS, END_HEADERS | END_STREAM, 1, get('/200000'))]),
    ends: 'exchanges',
  },
  {
    name: 'streams, 100 on a connection',
    connections: 20,
    start: Buffer.concat([preface, frame(SETTINGS, 0, 0), ...begun]),
    ends: 'exchanges',
  },
])(
  'slow $name on $connections connections: others are served, the attackers cut off in time',
  async how => {
    const gateway = await startTarget()
    expect((await exchange(gateway.port, 'GET /2')).status).toBe(200)
    const { rss } = await gateway.memory()
    const open = await attack(gateway.port, how)
    const others = [1, 2, 3]
    let served = 0
    let left = 0
    do {
      const answers = await Promise.all(others.map(() => exchange(gateway.port, 'GET /2')))
      expect(answers.map(({ status }) => status)).toEqual(others.map(() => 200))
      served += answers.length
      // Who takes nothing hears nothing of its end either.
      const { clients, exchanges } = await gateway.held()
      left = how.ends === 'exchanges' ? exchanges : clients
    } while (left > others.length)
    if (how.deaf !== true && how.ends === undefined) await eventually(() => expect(open.size).toBe(0))
    const { peakRss } = await gateway.memory()
    if (process.env.REPORT !== undefined) {
      const [before, most] = [rss, peakRss].map(bytes => Math.round(bytes / MB))
      console.log(`slow ${how.name}: ${served} requests served meanwhile, RSS ${before} MB before, ${most} MB at most`)
    }
    expect(peakRss - rss).toBeLessThan(allowance)
  },
  60_000,
)
