import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { onCleanup } from '../../../test/support/cleanup.ts'

/** `{ A: ['10.0.0.1'] }`, `{ SRV: ['10 1 8080 a.test'] }` (priority, weight, port, name), each with a TTL in seconds. */
export interface Zone {
  [name: string]:
    | { ttl?: number; A?: readonly string[]; AAAA?: readonly string[]; SRV?: readonly string[] }
    | 'SERVFAIL'
    | 'silent'
    | undefined
}

const types = { A: 1, AAAA: 28, SRV: 33 } as const

/** An authoritative name server over UDP for names that the test changes as it goes; what is not there is NXDOMAIN. */
export async function startNameServer(zone: Zone) {
  const asked: string[] = []
  const socket = createSocket('udp4')
  socket.on('message', (message, { port, address }) => {
    const { name, end } = readName(message)
    const type = Object.entries(types).find(([, number]) => number === message.readUInt16BE(end))?.[0] ?? '?'
    asked.push(`${type} ${name}`)
    const entry = zone[name]
    if (entry === 'silent') return
    const records = typeof entry === 'object' ? ((Reflect.get(entry, type) as string[] | undefined) ?? []) : []
    const ttl = typeof entry === 'object' ? (entry.ttl ?? 0) : 0
    const code = entry === undefined ? 3 : entry === 'SERVFAIL' ? 2 : 0
    const head = Buffer.alloc(12)
    message.copy(head, 0, 0, 2)
    head.writeUInt16BE(0x8400 | code, 2)
    head.writeUInt16BE(1, 4)
    head.writeUInt16BE(records.length, 6)
    const answers = records.map(text => record(type as keyof typeof types, ttl, text))
    socket.send(Buffer.concat([head, message.subarray(12, end + 4), ...answers]), port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  onCleanup('upstreams', async () => void socket.close())
  return { server: `127.0.0.1:${socket.address().port}`, asked }
}

function readName(message: Buffer): { name: string; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.'), end: at + 1 }
}

function record(type: keyof typeof types, ttl: number, text: string): Buffer {
  const data = dataOf(type, text)
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(types[type], 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(ttl, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

function dataOf(type: keyof typeof types, text: string): Buffer {
  if (type === 'A') return Buffer.from(text.split('.').map(Number))
  // Written in full: eight groups.
  if (type === 'AAAA')
    return Buffer.from(text.split(':').flatMap(group => [...Buffer.from(group.padStart(4, '0'), 'hex')]))
  const [priority = '0', weight = '0', port = '0', name = ''] = text.split(' ')
  const numbers = Buffer.alloc(6)
  for (const [i, number] of [priority, weight, port].entries()) numbers.writeUInt16BE(Number(number), 2 * i)
  const labels = name.split('.').filter(label => label !== '')
  const written = labels.flatMap(label => [Buffer.from([label.length]), Buffer.from(label)])
  return Buffer.concat([numbers, ...written, Buffer.from([0])])
}
