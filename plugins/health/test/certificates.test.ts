import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import type { Host, ServiceView, Target } from '@gateway/core'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createAuthority, type Issued } from '../../../test/support/certificates.ts'
import { onCleanup } from '../../../test/support/cleanup.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { startGateway } from '../../../test/support/gateway.ts'
import { recordingLog } from '../../../test/support/log.ts'
import { watchCertificates } from '../src/certificates.ts'
import { health } from '../src/index.ts'

async function tlsServer(certificate: Issued) {
  const server = createServer(certificate, socket => socket.on('error', () => {}).resume())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onCleanup('upstreams', async () => {
    server.close()
    await once(server, 'close')
  })
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('a certificate that ends soon is told of; one that has ended holds its target out', async () => {
  const authority = await createAuthority()
  const names = ['IP:127.0.0.1']
  const [good, soon, over] = [
    await tlsServer(await authority.issue({ names, days: 30 })),
    await tlsServer(await authority.issue({ names, days: 3 })),
    await tlsServer(await authority.issue({ names, days: -1 })),
  ]
  const options = { tls: { expiresIn: '14d' }, interval: 20, unhealthyAfter: 1 }
  const { gateway, log } = await startGateway({
    plugins: [health()],
    services: { shop: { targets: [good, soon, over], tls: { ca: authority.cert }, health: options } },
    routes: { health: { match: 'GET /health', reply: { status: 200 }, health: { endpoint: 'health' } } },
  })
  const counts = async () => (await gateway.fetch('http://gateway.test/health')).text()
  const told = (text: string) => log.all.filter(({ message }) => message === text)
  await eventually(() => expect(told('a target is down')).toHaveLength(1))
  expect(told('a target is down')[0]?.fields).toMatchObject({
    target: over,
    reason: expect.stringContaining('has expired'),
  })
  await eventually(() => expect(told("a target's certificate ends soon")).toHaveLength(1))
  expect(told("a target's certificate ends soon")[0]?.fields).toMatchObject({ service: 'shop', target: soon, days: 2 })
  expect(await counts()).toContain('{"total":3,"available":2}')
})

test('once a day and certificate, also over reloads', async () => {
  vi.useFakeTimers({ now: new Date('2030-01-01') })
  onTestFinished(() => void vi.useRealTimers())
  const log = recordingLog()
  const told: Map<string, number> = new Map()
  let certificateEnds = new Date('2030-01-08T12:00Z')
  const target = { url: 'https://a' } as Target
  const service = { name: 'shop', targets: [target], connect: async () => ({ certificateEnds }) } as object
  const host = {
    log,
    worker: { index: 0 },
    clock: {
      now: Date.now,
      every: (ms: number, task: () => void) => void setInterval(task, ms),
      after: (ms: number, task: () => void) => void setTimeout(task, ms),
    },
    share: () => told,
    defer: () => {},
  } as object
  const start = () =>
    watchCertificates(host as Host, service as ServiceView<unknown>, { expiresIn: 8 * 86_400_000, timeoutMs: 1_000 })
  const after = async (hours: number) => {
    await vi.advanceTimersByTimeAsync(hours * 3_600_000)
    return log.all.map(({ fields }) => fields.days)
  }
  start()
  expect(await after(23)).toEqual([7])
  start()
  expect(await after(0.1)).toEqual([7])
  expect(await after(2)).toEqual([7, 6])
  certificateEnds = new Date('2031-01-01')
  expect(await after(48)).toEqual([7, 6])
  certificateEnds = new Date('2030-01-06T12:00Z')
  expect(await after(1)).toEqual([7, 6, 2])
})
