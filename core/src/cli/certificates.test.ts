import { once } from 'node:events'
import { copyFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { expect, test } from 'vitest'
import { createAuthority, type Issued } from '../../../test/support/certificates.ts'
import { makeFolder } from '../../../test/support/folder.ts'
import { launch } from './command-line.fixture.ts'

const authority = await createAuthority()
const one = await authority.issue({ subject: '/CN=one' })
const two = await authority.issue({ subject: '/CN=two' })

const config = (cert = 'tls.crt') => `import { defineConfig } from '@gateway/core'
export default defineConfig({
  listen: { port: 0, host: '127.0.0.1', tls: { cert: '${cert}', key: 'tls.key' } },
  routes: { hello: { match: 'GET /hello', reply: { status: 200, body: 'hello' } } },
})
`

function put(folder: string, { certFile, keyFile }: Issued): void {
  copyFileSync(certFile, join(folder, 'tls.crt'))
  copyFileSync(keyFile, join(folder, 'tls.key'))
}

async function served(url: string): Promise<unknown> {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const { CN } = socket.getPeerCertificate().subject
  socket.destroy()
  return CN
}

test('--watch sees certificates replaced, though the config itself is the same', async () => {
  const folder = makeFolder({ 'gateway.config.ts': config() })
  put(folder, one)
  const gateway = launch(folder, 'start', '--watch')
  const url = await gateway.url()
  expect(await served(url)).toBe('one')
  put(folder, two)
  await gateway.printed(/"generation":2,.*"changed":\["tls\.crt","tls\.key"\],"msg":"reloaded"/)
  expect(await served(url)).toBe('two')
  // Once more: they are watched after a reload, too.
  put(folder, one)
  await gateway.printed(/"generation":3,.*"msg":"reloaded"/)
  expect(await served(url)).toBe('one')
})

test('a certificate that is missing after a change of the config is waited for', async () => {
  const folder = makeFolder({ 'gateway.config.ts': config() })
  put(folder, one)
  const gateway = launch(folder, 'start', '--watch')
  const url = await gateway.url()
  const other = join(folder, 'other.crt')
  writeFileSync(join(folder, 'gateway.config.ts'), config('other.crt'))
  await gateway.printed(
    /gateway\.config\.ts:3:\d+ error CONFIG_CERTIFICATE cannot read other\.crt: there is no such file/,
  )
  expect(await served(url)).toBe('one')
  copyFileSync(one.certFile, other)
  await gateway.printed(/"generation":2,.*"changed":\["other\.crt"\],"msg":"reloaded"/)
  rmSync(other)
  await gateway.printed(/"generation":2,"changed":\["other\.crt"\],"msg":"not reloaded/)
  expect(await served(url)).toBe('one')
})

test('SIGHUP reads them again, also without --watch', async () => {
  const folder = makeFolder({ 'gateway.config.ts': config() })
  put(folder, one)
  const gateway = launch(folder, 'start')
  const url = await gateway.url()
  put(folder, two)
  gateway.child.kill('SIGHUP')
  await gateway.printed(/"generation":2,.*"msg":"reloaded"/)
  expect(await served(url)).toBe('two')
})
