import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigProblems } from '@gateway/core'
import { expect, test, vi } from 'vitest'
import { createAuthority, type Issued } from '../../support/certificates.ts'
import { makeFolder } from '../../support/folder.ts'
import { startGateway } from '../../support/gateway.ts'
import { connect, requestText } from '../../support/wire.ts'
import { certificateFor, connectTls, sessionFrom, tlsOver } from './tls-client.ts'

const authority = await createAuthority()
const one = await authority.issue({ subject: '/CN=one', names: ['DNS:a.test'] })
const two = await authority.issue({ subject: '/CN=two', names: ['DNS:a.test', 'DNS:b.test'] })
const folder = makeFolder()
const files = { cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') }

async function put({ certFile, keyFile }: Issued): Promise<void> {
  await copyFile(certFile, files.cert)
  await copyFile(keyFile, files.key)
}

const routes = { all: { match: 'GET /*', reply: { status: 200, body: 'hello' } } }
const secure = { listen: { port: 0, host: '127.0.0.1', tls: files }, routes }

test('new files serve new connections; an open one goes on, and sessions are resumed', async () => {
  await put(one)
  const { gateway, port } = await startGateway(secure)
  expect(gateway.files).toEqual([files.cert, files.key])
  const open = await connectTls(port, { servername: 'a.test' })
  open.send(requestText('GET /'))
  await open.response()
  const session = await sessionFrom(port, { servername: 'a.test' })
  await put(two)
  await gateway.reload(secure)
  expect(await certificateFor(port, { servername: 'a.test' })).toBe('two')
  const resumed = await connectTls(port, { servername: 'a.test', session })
  expect(resumed.socket.isSessionReused()).toBe(true)
  open.send(requestText('GET /'))
  expect(await open.response()).toMatchObject({ status: 200, body: 'hello' })
})

test('a handshake that is under way when they come is not disturbed', async () => {
  await put(one)
  const { gateway, port } = await startGateway(secure)
  const { promise, resolve: goOn } = Promise.withResolvers<void>()
  const slow = tlsOver(await connect(port), { split: 10, until: promise })
  await put(two)
  await gateway.reload(secure)
  expect(await certificateFor(port)).toBe('two')
  goOn()
  expect((await slow).socket.getPeerCertificate().subject.CN).toBe('one')
})

test('what is only a matter of time comes back as a warning', async () => {
  await put(one)
  const { gateway } = await startGateway(secure)
  expect(gateway.warnings).toEqual([])
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 80 * 86_400_000 })
  try {
    const { warnings } = await gateway.reload(secure)
    expect(warnings).toMatchObject([{ severity: 'warning', code: 'CONFIG_CERTIFICATE_EXPIRES' }])
    expect(gateway.warnings).toEqual(warnings)
  } finally {
    vi.useRealTimers()
  }
})

test('files that are wrong change nothing, and are said to be; mended, they are taken', async () => {
  await put(one)
  const { gateway, port } = await startGateway(secure)
  await copyFile(two.certFile, files.cert)
  const error = await gateway.reload(secure).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(ConfigProblems)
  expect(String(error)).toContain(`${files.key} is not the key of the certificate in ${files.cert}`)
  expect(gateway.generations.map(({ id }) => id)).toEqual([1])
  expect(await certificateFor(port)).toBe('one')
  await copyFile(two.keyFile, files.key)
  await gateway.reload(secure)
  expect(await certificateFor(port)).toBe('two')
})

test('the files of a config that was refused are told with those that serve', async () => {
  await put(one)
  const { gateway } = await startGateway(secure)
  const missing = join(folder, 'missing.crt')
  const wrong = { ...secure, listen: { ...secure.listen, tls: { cert: missing, key: files.key } } }
  await expect(gateway.reload(wrong)).rejects.toThrow(`cannot read ${missing}: there is no such file`)
  expect(gateway.files).toEqual([files.cert, files.key, missing])
  await gateway.reload(secure)
  expect(gateway.files).toEqual([files.cert, files.key])
})

test('a port goes from clear text to TLS and back, and connections of either kind go on', async () => {
  await put(one)
  const plain = { listen: { port: 0, host: '127.0.0.1' }, routes }
  const { gateway, port } = await startGateway(plain)
  const clear = await connect(port)
  const ask = async (wire: typeof clear) => {
    wire.send(requestText('GET /'))
    return (await wire.response()).status
  }
  expect(await ask(clear)).toBe(200)
  await gateway.reload(secure)
  expect(gateway.addresses[0]?.url).toBe(`https://127.0.0.1:${port}`)
  const tls = await connectTls(port)
  expect([await ask(clear), await ask(tls)]).toEqual([200, 200])
  await gateway.reload(plain)
  expect([await ask(clear), await ask(tls), await ask(await connect(port))]).toEqual([200, 200, 200])
})

test('an equal config keeps the contexts that there are: a reload costs no handshake its session', async () => {
  await put(one)
  const { gateway, port } = await startGateway(secure)
  for (let round = 0; round < 3; round++) {
    const session = await sessionFrom(port, { maxVersion: 'TLSv1.2' })
    await gateway.reload(secure)
    const { socket } = await connectTls(port, { session, maxVersion: 'TLSv1.2' })
    expect(socket.isSessionReused()).toBe(true)
  }
})
