import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { container, startFakeEngine } from '../../../plugins/discovery/test/fake-engine.ts'
import { createAuthority } from '../../support/certificates.ts'
import { eventually } from '../../support/eventually.ts'
import { makeFolder } from '../../support/folder.ts'
import { startGateway } from '../../support/gateway.ts'
import { startBackend } from './backend.ts'
import { loadYaml, onFreePorts } from './load-yaml.ts'

/** Asks a gateway with rules for these services, found as `registry` says it. */
async function start(registry: string, rules = ['id: shop, path: /shop/*, serviceName: shop']) {
  const list = rules.map(rule => `      - { ${rule} }\n`).join('')
  const text = `gateway:\n  registry: ${registry}\n  router:\n    rules:\n${list}`
  const { gateway } = await startGateway(onFreePorts(await loadYaml(text)))
  const port = gateway.addresses[0]?.port
  return async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } })
    return response.ok ? await response.text() : `${response.status}`
  }
}

const labels = (service: string, port: number, more: Readonly<Record<string, string>> = {}) => ({
  'gateway.service': service,
  'gateway.port': String(port),
  ...more,
})

test('docker: rules name what labels say, and containers come and go without a reload', async () => {
  const engine = await startFakeEngine()
  const one = await startBackend('one')
  engine.containers = [
    container('one', labels('shop', one)),
    container('off', labels('shop', 1, { 'gateway.enable': 'false' })),
  ]
  const ask = await start(
    `{ type: docker, docker: { host: '${engine.host}', refreshInterval: 3600, network: '', version: '1.41' } }`,
    ['path: /shop/*, serviceName: shop', 'path: /other/*, serviceName: other'],
  )
  expect(await ask('/shop/a')).toBe('one GET /shop/a')
  expect(await ask('/other/a')).toBe('503')
  engine.containers = [container('two', labels('other', one))]
  engine.tell({ Action: 'start', Actor: { ID: 'two' } })
  await eventually(async () => expect(await ask('/other/a')).toBe('one GET /other/a'))
  expect(await ask('/shop/a')).toBe('503')
})

test('docker: a service that two rules have balanced in different ways asks by its own name', async () => {
  const engine = await startFakeEngine()
  engine.containers = [container('one', labels('shop', await startBackend('one')))]
  const ask = await start(`{ type: docker, docker: { endpoint: '${engine.host}' } }`, [
    'path: /a, serviceName: shop',
    'path: /b, serviceName: shop, loadBalance: least_connections',
  ])
  for (const path of ['/a', '/b']) expect(await ask(path)).toBe(`one GET ${path}`)
})

test('docker: an engine over TLS, by the files of certPath', async () => {
  const authority = await createAuthority()
  const { cert, key } = await authority.issue({ names: ['DNS:localhost'] })
  const engine = await startFakeEngine({ cert, key, ca: authority.cert, requestCert: true })
  engine.containers = [container('one', labels('shop', await startBackend('one')))]
  const folder = makeFolder()
  const client = await authority.issue({ subject: '/CN=gateway' })
  for (const [name, text] of Object.entries({ ca: authority.cert, cert: client.cert, key: client.key }))
    writeFileSync(join(folder, `${name}.pem`), text)
  const ask = await start(`{ type: docker, docker: { host: '${engine.host}', certPath: '${folder}' } }`)
  expect(await ask('/shop/a')).toBe('one GET /shop/a')
})

describe.each(['docker-compose', 'dockercompose'])('%s', type => {
  test('the services of a project, by the names that Compose gave', async () => {
    const engine = await startFakeEngine()
    const compose = (service: string, port: number, more: Readonly<Record<string, string>> = {}) => ({
      'com.docker.compose.project': 'mall',
      'com.docker.compose.service': service,
      'com.acme.port': String(port),
      ...more,
    })
    engine.containers = [
      container('one', compose('shop', await startBackend('one'))),
      container('two', compose('shop', 1, { 'com.acme.enable': 'false' })),
    ]
    const ask = await start(
      `{ type: ${type}, dockerCompose: { projectName: mall, dockerHost: '${engine.host}', labelPrefix: com.acme } }`,
    )
    expect(await ask('/shop/a')).toBe('one GET /shop/a')
    expect(engine.asked.at(-1)).toContain('com.docker.compose.project=mall')
  })
})

test('kubernetes: each service is the one that a rule names', async () => {
  const block = '{ namespace: mall, kubeconfig: /k, context: here, port: 80 }'
  const { services } = await loadYaml(`gateway:
  registry: { type: kubernetes, kubernetes: ${block} }
  router: { rules: [{ path: /a, serviceName: shop }] }
`)
  const discover = {
    use: 'kubernetes',
    service: 'shop',
    namespace: 'mall',
    kubeconfig: '/k',
    context: 'here',
    port: 80,
  }
  expect(services).toMatchObject({ shop: { discover } })
})
