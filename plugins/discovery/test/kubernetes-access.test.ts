import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { createAuthority } from '../../../test/support/certificates.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { slice, startFakeCluster } from './fake-cluster.ts'
import { eventuallyFinds, eventuallyStale, found, messages, startWith } from './support.ts'

const a = 'http://10.0.0.1:80'
const base64 = (text: string) => Buffer.from(text).toString('base64')

async function startSecured(more: object = {}) {
  const authority = await createAuthority()
  const server = await authority.issue({ names: ['IP:127.0.0.1'] })
  const { cert: ca } = authority
  const cluster = await startFakeCluster({ cert: server.cert, key: server.key, ca, ...more })
  cluster.putSilently(slice('s1', ['10.0.0.1']))
  return { authority, cluster, ca }
}

test('in a pod: address, certificate, namespace and token of the service account, each token as it is by then', async () => {
  const { cluster, ca } = await startSecured()
  vi.stubEnv('KUBERNETES_SERVICE_HOST', '127.0.0.1')
  vi.stubEnv('KUBERNETES_SERVICE_PORT', new URL(cluster.server).port)
  const write = (name: string, text: string) => writeFileSync(join(cluster.folder, name), text)
  write('ca.crt', ca)
  write('namespace', 'shops')
  write('token', 'first\n')
  const running = await startWith({ use: 'kubernetes', serviceAccount: cluster.folder })
  expect(found(running).urls).toEqual([a])
  expect(cluster.asked[0]?.path).toContain('/namespaces/shops/')
  await eventually(() => expect(cluster.watches.size).toBe(1))
  write('token', 'second')
  cluster.tell('BOOKMARK', {})
  cluster.end()
  await eventually(() => expect(cluster.asked).toHaveLength(3))
  expect(cluster.asked.map(({ headers }) => headers.authorization)).toEqual([
    'Bearer first',
    'Bearer first',
    'Bearer second',
  ])
})

test('outside of a pod, and without a kubeconfig, it is refused', async () => {
  vi.stubEnv('KUBERNETES_SERVICE_HOST', '')
  await expect(startWith({ use: 'kubernetes' })).rejects.toThrow('outside of a cluster, name a kubeconfig')
  vi.stubEnv('KUBERNETES_SERVICE_HOST', '10.0.0.1')
  await expect(startWith({ use: 'kubernetes', serviceAccount: '/none' })).rejects.toThrow('ENOENT')
})

describe('a kubeconfig', () => {
  test.each([
    ['as data', true],
    ['as files beside it', false],
  ])('with certificates %s', async (_, isData) => {
    const { authority, cluster, ca } = await startSecured({ requestCert: true })
    const { cert, key } = await authority.issue({ subject: '/CN=gateway' })
    const given = (name: string, text: string) => {
      if (isData) return { [`${name}-data`]: base64(text) }
      writeFileSync(join(cluster.folder, `${name}.pem`), text)
      return { [name]: `${name}.pem` }
    }
    cluster.configure(given('certificate-authority', ca), {
      ...given('client-certificate', cert),
      ...given('client-key', key),
    })
    expect(found(await startWith({ use: 'kubernetes', kubeconfig: cluster.kubeconfig })).urls).toEqual([a])
  })

  test('with a token, in it or in a file, in the namespace of its context', async () => {
    const cluster = await startFakeCluster()
    cluster.configure({}, { token: 'inside' }, { namespace: 'shops' })
    await startWith({ use: 'kubernetes', kubeconfig: cluster.kubeconfig })
    expect(cluster.asked[0]).toMatchObject({
      path: '/apis/discovery.k8s.io/v1/namespaces/shops/endpointslices',
      headers: { authorization: 'Bearer inside' },
    })
    writeFileSync(join(cluster.folder, 'token'), 'outside\n')
    cluster.configure({}, { tokenFile: 'token' })
    await startWith({ use: 'kubernetes', kubeconfig: cluster.kubeconfig, context: 'main' })
    expect(cluster.asked.at(-1)?.headers.authorization).toBe('Bearer outside')
  })

  test('that is replaced is read again when the connection was lost', async () => {
    const cluster = await startFakeCluster()
    cluster.putSilently(slice('s1', ['10.0.0.1']))
    const running = await startWith({ use: 'kubernetes', kubeconfig: cluster.kubeconfig })
    await eventually(() => expect(cluster.watches.size).toBe(1))
    cluster.configure({}, { exec: {} })
    cluster.lose()
    await eventuallyStale(running, 'user "me" has "exec", which is not supported')
    cluster.configure({}, { token: 'new' })
    await eventuallyFinds(running, [a])
    expect(cluster.asked.at(-1)?.headers.authorization).toBe('Bearer new')
  })

  test('leaves certificates unverified only when it says so, and then the log says it, too', async () => {
    const { cluster } = await startSecured()
    const discover = { use: 'kubernetes', kubeconfig: cluster.kubeconfig }
    await eventuallyStale(await startWith(discover), 'certificate')
    cluster.configure({ 'insecure-skip-tls-verify': true }, {})
    const running = await startWith(discover)
    expect(found(running).urls).toEqual([a])
    const warning = 'the certificate of a Kubernetes API is not verified, as its kubeconfig says'
    expect(messages(running, warning)).toEqual([expect.objectContaining({ server: cluster.server })])
  })

  const refused: [object, object, object, object, string][] = [
    [{}, { exec: { command: 'aws' } }, {}, {}, 'user "me" has "exec", which is not supported: give it a token'],
    [{}, { 'auth-provider': {} }, {}, {}, 'user "me" has "auth-provider"'],
    [{}, { username: 'a', password: 'b' }, {}, {}, 'user "me" has "username"'],
    [{}, { as: 'root' }, {}, {}, 'user "me" has "as"'],
    [{ 'proxy-url': 'http://proxy' }, {}, {}, {}, 'cluster "here" has "proxy-url", which is not supported'],
    [{ server: 'ftp://x' }, {}, {}, {}, 'clusters 0 cluster server'],
    [{ 'certificate-authority': 'none.pem' }, {}, {}, {}, 'ENOENT'],
    [{}, {}, { cluster: 'there' }, {}, 'it has no cluster "there", only "here"'],
    [{}, {}, { user: 'you' }, {}, 'it has no user "you", only "me"'],
    [{}, {}, {}, { context: 'next' }, 'it has no context "next", only "main"'],
  ]
  test.each(refused)('is refused: %o %o %o %o', async (inCluster, user, context, options, message) => {
    const cluster = await startFakeCluster()
    cluster.configure(inCluster, user, context)
    const starting = startWith({ use: 'kubernetes', kubeconfig: cluster.kubeconfig, ...options })
    await expect(starting).rejects.toThrow(message)
  })

  test('is named, and its secrets are not, when it does not parse', async () => {
    const cluster = await startFakeCluster()
    writeFileSync(cluster.kubeconfig, 'users: [{ user: { token: s3cret }')
    const error: Error = await startWith({ use: 'kubernetes', kubeconfig: cluster.kubeconfig }).then(
      () => expect.fail('it started'),
      (error: Error) => error,
    )
    expect(error.message).toContain(basename(cluster.folder))
    expect(error.message).not.toContain('s3cret')
  })
})

test.each([
  [{ service: 'shop', selector: 'a=b' }, 'cannot go with service: choose one'],
  [{ context: 'main' }, 'is one of a kubeconfig: name the file'],
  [{ namespace: '../secrets' }, 'must be a name as Kubernetes has them'],
])('refused: %o', async (options, message) => {
  await expect(startWith({ use: 'kubernetes', ...options })).rejects.toThrow(message)
})
