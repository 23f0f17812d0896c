import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { ConfigProblems, GatewayError } from '@gateway/core'
import { expect, test, vi } from 'vitest'
import { createAuthority } from '../../support/certificates.ts'
import { onCleanup } from '../../support/cleanup.ts'
import { eventually } from '../../support/eventually.ts'
import { connect, requestText, type Wire } from '../../support/wire.ts'
import { connectTls, sessionFrom } from '../listen/tls-client.ts'
import { busyClient, connectToAll, get, startWorkers, type Workers, who } from './fixture.ts'

// Each thread loads the gateway anew, which a busy machine takes its time for.
vi.setConfig({ testTimeout: 60_000 })

const failsIn = (index: number) => `if (host.worker.index === ${index}) throw new Error('no database')`

/** Opens a connection for the rest of the test; the index of the worker that serves it, undefined when it was closed. */
async function server(port: number): Promise<{ wire: Wire; index: number | undefined }> {
  const wire = await connect(port)
  wire.send(requestText('GET /who'))
  const head = await wire.through('\r\n\r\n')
  if (head === undefined) return { wire, index: undefined }
  const body = await wire.exactly(Number(/content-length: (\d+)/i.exec(head)?.[1]))
  return { wire, index: JSON.parse(body ?? '').index }
}

async function open(port: number, connections: number): Promise<{ wire: Wire; index: number | undefined }[]> {
  const opened = []
  for (let number = 0; number < connections; number++) opened.push(await server(port))
  return opened
}

async function workersOf({ supervisor }: Workers): Promise<number[]> {
  return (await supervisor.workers()).map(({ worker }) => worker)
}

test('two workers serve one port, share memory and hear each other; a reload reaches both, or none', async () => {
  const gateway = await startWorkers({ setup: "channel.post('up')" })
  const wires = await connectToAll(gateway.port, 2)
  const [first, second] = wires
  if (first === undefined || second === undefined) throw new Error('unreachable')
  expect(await who(first)).toEqual({ index: 0, workers: 2, version: '1' })
  expect([(await get(first, '/count')).body, (await get(second, '/count')).body]).toEqual(['1', '2'])
  await get(first, '/say')
  await eventually(async () => expect((await get(second, '/heard')).body).toContain('0:hello'))
  expect((await get(first, '/heard')).body).not.toContain('0:')

  const versions = () => Promise.all(wires.map(async wire => (await who(wire)).version))
  for (const worker of [0, 1]) {
    const error: unknown = await gateway.reload({ version: '2', setup: failsIn(worker) }).catch((e: unknown) => e)
    if (!(error instanceof ConfigProblems)) throw error
    expect(error.problems).toMatchObject([{ code: 'CONFIG_SETUP_FAILED', path: ['plugins', 0] }])
    expect(error.problems[0]?.message).toContain('no database')
    expect(await versions()).toEqual(['1', '1'])
    expect(gateway.supervisor.generation).toBe(1)
  }
  await gateway.reload({ version: '3' })
  expect(await versions()).toEqual(['3', '3'])
  expect((await get(second, '/count')).body).toBe('3')
  await eventually(async () =>
    expect(await gateway.supervisor.workers()).toMatchObject([
      { worker: 0, generations: [{ id: 2, state: 'serving', inFlight: 0 }] },
      { worker: 1, generations: [{ id: 2, state: 'serving', inFlight: 0 }] },
    ]),
  )
})

test('from one in the main thread to three, to two, to one: clients that never rest notice nothing', async () => {
  const gateway = await startWorkers({ workers: 1 })
  const idle = await connect(gateway.port)
  await get(idle, '/count')
  expect(await workersOf(gateway)).toEqual([0])
  const clients = Array.from({ length: 12 }, () => busyClient(gateway.port))
  for (const [index, workers] of [3, 2, 1].entries()) {
    await gateway.reload({ workers, version: String(index + 2) })
    // Of a worker that leaves: answered once more, and then closed.
    if (index === 0) expect(await get(idle, '/count')).toMatchObject({ status: 200, body: '2' })
    if (index === 0) await idle.gone()
    // Whoever is idle keeps the worker that it is connected to for the drain time.
    for (const wire of await connectToAll(gateway.port, workers)) wire.socket.destroy()
    await eventually(async () => expect(new Set(await workersOf(gateway)).size).toBe(workers))
  }
  const versions = new Set((await Promise.all(clients.map(client => client.stop()))).flat())
  expect([...versions].toSorted()).toEqual(['1', '2', '3', '4'])
  expect((await get(await connect(gateway.port), '/count')).body).toBe('3')
  expect(gateway.log.all.filter(({ level }) => level === 'error')).toEqual([])
})

test('limits of connections hold for all workers together; one that dies is replaced, and its share is free again', async () => {
  const limits = ['connections', 'connectionsPerClient'].map(
    name => `{ port: 0, host: '127.0.0.1', limits: { ${name}: 24 } }`,
  )
  const gateway = await startWorkers({ listen: `[${limits}]` })
  const opened = await Promise.all(gateway.supervisor.addresses.map(({ port }) => open(port, 24)))
  const shares = opened.map(connections => connections.filter(({ index }) => index === 0).length)
  for (const [at, { port }] of gateway.supervisor.addresses.entries()) {
    expect(new Set(opened[at]?.map(({ index }) => index))).toEqual(new Set([0, 1]))
    expect((await server(port)).index).toBeUndefined()
  }

  const other = opened[0]?.find(({ index }) => index === 1)
  const victim = opened[0]?.find(({ index }) => index === 0)
  victim?.wire.send(requestText('GET /exit'))
  await victim?.wire.gone()
  expect(other && (await who(other.wire)).index).toBe(1)
  await eventually(() => expect(gateway.log.all.at(-1)?.message).toBe('a worker was replaced'))
  expect(gateway.log.all.map(({ message, fields }) => [message, fields.worker, fields.reason])).toEqual([
    ['a worker died', 0, 'something called process.exit(3)'],
    ['a worker was replaced', 0, undefined],
  ])
  for (const [at, { port }] of gateway.supervisor.addresses.entries()) {
    const again = await open(port, 24)
    expect(again.filter(({ index }) => index !== undefined).length).toBe(shares[at])
  }
})

test('a worker that dies while it prepares a reload: the reload is refused; one that runs out of memory is replaced', async () => {
  const gateway = await startWorkers({}, { maxOldGenerationSizeMb: 64 })
  const setup = 'if (host.worker.index === 1) process.exit(4)'
  await expect(gateway.reload({ version: '2', setup })).rejects.toMatchObject({
    problems: [{ code: 'CONFIG_WORKER_DIED', message: 'worker 1 died: something called process.exit(4)' }],
  })
  await eventually(() => expect(gateway.log.all.at(-1)?.message).toBe('a worker was replaced'))
  const wires = await connectToAll(gateway.port, 2)
  expect(await Promise.all(wires.map(async wire => (await who(wire)).version))).toEqual(['1', '1'])

  const [first, second] = wires
  first?.send(requestText('GET /eat'))
  await first?.gone()
  expect(second && (await who(second)).index).toBe(1)
  await eventually(() => expect(gateway.log.all.at(-1)?.fields.worker).toBe(0))
  expect(gateway.log.all.find(({ fields }) => fields.worker === 0)?.fields.reason).toBe('it ran out of memory')
})

test('counts are those of all workers; what one had that died is taken off', async () => {
  const gateway = await startWorkers({})
  const [first, second] = await connectToAll(gateway.port, 2)
  if (first === undefined || second === undefined) throw new Error('unreachable')
  const enter = async (wire: Wire) => (await get(wire, '/enter')).status
  expect([await enter(first), await enter(second), await enter(first)]).toEqual([200, 200, 200])
  await gateway.reload({ version: '2' })
  expect([await enter(first), await enter(second)]).toEqual([503, 503])
  first.send(requestText('GET /exit'))
  await first.gone()
  await eventually(async () => expect(gateway.log.all.at(-1)?.message).toBe('a worker was replaced'))
  expect([await enter(second), await enter(second), await enter(second)]).toEqual([200, 200, 503])
})

test('TLS sessions are resumed by any worker, and after a reload', async () => {
  const { certFile, keyFile } = await (await createAuthority()).issue({ names: ['DNS:a.test'] })
  const tls = `tls: { cert: '${certFile}', key: '${keyFile}', minVersion: 'TLSv1.3' }`
  const listen = `{ port: 0, host: '127.0.0.1', ${tls} }`
  const gateway = await startWorkers({ listen })
  const session = await sessionFrom(gateway.port, { servername: 'a.test' })
  await gateway.reload({ listen, version: '2' })
  const served = new Set<number>()
  for (let tries = 0; tries < 100 && served.size < 2; tries++) {
    const wire = await connectTls(gateway.port, { servername: 'a.test', session })
    expect(wire.socket.isSessionReused()).toBe(true)
    served.add((await who(wire)).index)
  }
  expect(served.size).toBe(2)
})

test('a port that another has, with SO_REUSEPORT or without, is refused, and had once it is free', async () => {
  const gateway = await startWorkers({})
  for (const reusePort of [false, true]) {
    const other = createServer().listen({ port: 0, host: '127.0.0.1', reusePort })
    await once(other, 'listening')
    onCleanup('upstreams', async () => void other.close())
    const { port } = other.address() as AddressInfo
    const listen = `{ port: ${port}, host: '127.0.0.1' }`
    const error: unknown = await gateway.reload({ listen }).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(GatewayError)
    expect(error).toMatchObject({ code: 'GATEWAY_LISTEN_FAILED', message: expect.stringContaining('is in use') })
    await connectToAll(gateway.supervisor.addresses[0]?.port ?? 0, 2)
    other.close()
    await once(other, 'close')
    await gateway.reload({ listen })
    await connectToAll(port, 2)
    // The same port, on an address that overlaps.
    await gateway.reload({ listen: `{ port: ${port} }` })
    await connectToAll(port, 2)
  }
})
