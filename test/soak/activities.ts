import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import fc from 'fast-check'
import type { AbortUpstream } from '../conformance/fuzz/abort-upstream.ts'
import { playSession, session } from '../conformance/fuzz/aborts.ts'
import { RawClient } from '../conformance/support/client.ts'
import { takeResponse } from '../conformance/support/strict.ts'
import { type Sent, type SoakClient, transports } from './client.ts'
import { BodyCheck, pieceOf } from './pattern.ts'
import { playHttp2 } from './play-http2.ts'
import type { Random } from './random.ts'
import { readBody, writeBody } from './upstream.ts'

/** What a client does once. Rejects when the gateway does anything but what it has to. */
export interface Activity {
  readonly name: string
  readonly weight: number
  run(random: Random): Promise<void>
}

export interface Rig {
  readonly honest: SoakClient
  /** To the listeners that have little patience. */
  readonly rude: SoakClient
  readonly ports: readonly number[]
  readonly aborts: AbortUpstream
}

const upstreams = ['http1', 'http2'] as const
/** A machine with nothing else to do needs milliseconds. */
const patienceMs = 30_000
const secure = (tcp: Socket): Socket => connectTls({ socket: tcp, rejectUnauthorized: false })

export function activities({ honest, rude, ports, aborts }: Rig): Activity[] {
  const [plain = 0, , rudePlain = 0, rudeTls = 0] = ports

  /** Sends a request for a body of random framing. */
  function download(random: Random, size: number, alone = false) {
    const id = random.between(0, 1e6)
    const how = random.pick(['length', 'chunked', 'slow'])
    const path = `/${random.pick(upstreams)}/${id}/${size}/${how}`
    const transport = random.pick(transports)
    const sent = honest.send(transport, 'GET', path, {}, alone)
    sent.body.end()
    return { ...sent, id, path: `${transport} ${path}` }
  }

  function upload(random: Random, size: number, alone = false) {
    const id = random.between(0, 1e6)
    const path = `/${random.pick(upstreams)}/${id}/${size}/${random.pick(['fast', 'fast', 'slow'])}`
    const headers: Record<string, string> = random.chance(0.5) ? { 'content-length': `${size}` } : {}
    const transport = random.pick(transports)
    // What is written before the head is sent would have node:http count it.
    if (transport.startsWith('HTTP/1.1') && headers['content-length'] === undefined) {
      headers['transfer-encoding'] = 'chunked'
    }
    return { ...honest.send(transport, 'POST', path, headers, alone), id, path: `${transport} ${path}` }
  }

  async function expectWhole({ response, id, path }: ReturnType<typeof download>, size: number, slow: boolean) {
    const { status, body } = await response
    if (status !== 200) throw new Error(`${path}: ${status} ${(await body.toArray()).join('')}`)
    const { received, wrong } = await readBody(body, id, slow).catch(error => {
      throw new Error(`${path}: ${status}, then cut off`, { cause: error })
    })
    assert.deepEqual({ path, received, wrong }, { path, received: size, wrong: false })
  }

  async function leaving(random: Random, sent: Sent, work: Promise<unknown>): Promise<void> {
    work.catch(() => {})
    await wait(random.between(0, 60))
    sent.leave(random.pick(['cancel', 'FIN', 'RST']))
    await work.catch(() => {})
  }

  return [
    {
      name: 'small downloads',
      weight: 10,
      run(random) {
        const size = random.between(0, 5_000)
        return expectWhole(download(random, size), size, false)
      },
    },
    {
      name: 'large downloads, some read slowly',
      weight: 2,
      run(random) {
        const slow = random.chance(0.5)
        const size = random.between(1, 4) * (slow ? 200_000 : 1_000_000)
        return expectWhole(download(random, size), size, slow)
      },
    },
    {
      name: 'uploads, some written slowly',
      weight: 6,
      async run(random) {
        const size = random.between(0, 5) ** 4 * 1_000
        const sent = upload(random, size)
        const written = writeBody(sent.body, sent.id, size, size < 100_000 && random.chance(0.5))
        const answered = sent.response.then(async ({ status, body }) => ({
          status,
          text: (await body.toArray()).join(''),
        }))
        // What was answered tells why it was not taken whole.
        const [{ status, text }] = await Promise.all([answered, written.catch(() => answered)])
        assert.deepEqual({ path: sent.path, status, text }, { path: sent.path, status: 200, text: `${size}` })
        await written
      },
    },
    {
      name: 'pipelined requests',
      weight: 2,
      async run(random) {
        const client = new RawClient(plain, { patienceMs })
        const asked = Array.from({ length: random.between(2, 10) }, () => ({
          id: random.between(0, 1e6),
          size: random.between(0, 20_000),
        }))
        await client.send([
          asked.map(({ id, size }) => `GET /http1/${id}/${size}/length HTTP/1.1\r\nHost: a\r\n\r\n`).join(''),
        ])
        let at = 0
        for (const { id, size } of asked) {
          const answer = () => takeResponse(client.transcript, at, 'GET', client.ended)
          await client.until(() => client.ended || answer() !== undefined)
          const taken = answer()
          const body = Buffer.from(taken?.message.body ?? '', 'latin1')
          assert.deepEqual([taken?.message.status, body], [200, pieceOf(id, 0, size)])
          at = taken?.end ?? at
        }
        client.socket.destroy()
      },
    },
    {
      name: 'error pages',
      weight: 1,
      async run(random) {
        const sent = honest.send(random.pick(transports), 'GET', '/nowhere', {}, false)
        sent.body.end()
        const { status, body } = await sent.response
        const text = (await body.toArray()).join('')
        assert.deepEqual([status, JSON.parse(text).code], [404, 'GATEWAY_ROUTE_NOT_FOUND'])
      },
    },
    {
      name: 'downloads given up',
      weight: 4,
      async run(random) {
        const sent = download(random, random.between(0, 2) * 1e6, true)
        const check = new BodyCheck(sent.id)
        const read = sent.response.then(async ({ body }) => {
          for await (const chunk of body as AsyncIterable<Uint8Array>) check.push(chunk)
        })
        await leaving(random, sent, read)
        assert.equal(check.wrong, false, `wrong bytes: ${sent.path}`)
      },
    },
    {
      name: 'uploads given up',
      weight: 4,
      run(random) {
        const size = random.between(1, 4) * 1e6
        const sent = upload(random, size, true)
        const written = writeBody(sent.body, sent.id, size, random.chance(0.5))
        return leaving(random, sent, Promise.allSettled([written, sent.response]))
      },
    },
    {
      name: 'either end gives up',
      weight: 10,
      async run(random) {
        const [script] = fc.sample(session, { numRuns: 1, seed: random.between(0, 2 ** 31) })
        assert(script !== undefined)
        const transport = random.pick(transports)
        const play = () => {
          if (transport === 'HTTP/1.1') return playSession(aborts, new RawClient(rudePlain, { patienceMs }), script)
          if (transport === 'HTTP/1.1 with TLS')
            return playSession(aborts, new RawClient(rudeTls, { secure, patienceMs }), script)
          return playHttp2(aborts, rude.connect(transport), script)
        }
        await play().catch(error => {
          throw new Error(`${transport}, ${JSON.stringify(script)}: ${String(error).slice(0, 300)}`)
        })
      },
    },
  ]
}
