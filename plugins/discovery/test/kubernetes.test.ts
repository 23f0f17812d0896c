import type { ServerResponse } from 'node:http'
import { discovery } from '@gateway/discovery'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { slice, startFakeCluster } from './fake-cluster.ts'
import {
  ask,
  configOf,
  eventuallyFinds,
  eventuallyStale,
  found,
  messages,
  named,
  startWith,
  viewing,
} from './support.ts'

const [a, b, c] = ['http://10.0.0.1:80', 'http://10.0.0.2:80', 'http://10.0.0.3:80']
const lost = 'a discovery lost its source, the last targets stay'

async function start(slices: Parameters<typeof slice>[], more: object = {}) {
  const cluster = await startFakeCluster()
  for (const args of slices) cluster.putSilently(slice(...args))
  const discover = { use: 'kubernetes', kubeconfig: cluster.kubeconfig, ...more }
  return { cluster, discover, running: await startWith(discover) }
}

async function startWatched(...given: Parameters<typeof start>) {
  const started = await start(...given)
  await eventually(() => expect(started.cluster.watches.size).toBe(1))
  return started
}

describe('slices', () => {
  test('are listed, then watched from there on: what is added, modified and deleted', async () => {
    const backend = await named('a')
    const port = Number(new URL(backend.origin).port)
    const { cluster, running } = await startWatched([['s1', ['127.0.0.1'], { ports: [{ name: '', port }] }]])
    expect(await ask(running)).toBe('a')
    const [list, watch] = cluster.asked
    expect(list?.path).toBe('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices')
    expect([...(list?.query ?? [])]).toEqual([['labelSelector', 'kubernetes.io/service-name=shop']])
    const { timeoutSeconds, ...asked } = Object.fromEntries(watch?.query ?? [])
    expect(asked).toEqual({
      labelSelector: 'kubernetes.io/service-name=shop',
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: cluster.version,
    })
    // Of 5 minutes, apart from others.
    expect(Number(timeoutSeconds)).toBeGreaterThanOrEqual(150)
    expect(Number(timeoutSeconds)).toBeLessThanOrEqual(300)
    cluster.put(slice('s2', ['10.0.0.1', '10.0.0.2']))
    await eventuallyFinds(running, [backend.origin, a, b])
    cluster.put(slice('s2', ['10.0.0.2']))
    await eventuallyFinds(running, [backend.origin, b])
    cluster.remove('s2')
    await eventuallyFinds(running, [backend.origin])
    expect(await ask(running)).toBe('a')
    expect([cluster.lists, backend.wires.length]).toEqual([1, 1])
  })

  test('that change many at once are one change', async () => {
    const { cluster, running } = await startWatched([])
    const many = Array.from({ length: 200 }, (_, i) => cluster.event('MODIFIED', slice('s1', [`10.0.1.${i}`])))
    cluster.write(`${many.join('\n')}\n`)
    await eventuallyFinds(running, ['http://10.0.1.199:80'])
    expect(messages(running, 'targets changed').length).toBeLessThan(20)
  })

  test('of all Services with a label, of another namespace', async () => {
    const { cluster, running } = await start([['s1', ['10.0.0.1']]], { selector: 'team=web', namespace: 'other' })
    expect(found(running).urls).toEqual([a])
    expect(cluster.asked[0]?.path).toBe('/apis/discovery.k8s.io/v1/namespaces/other/endpointslices')
    expect(cluster.asked[0]?.query.get('labelSelector')).toBe('team=web')
  })

  test('of 5,000 endpoints', async () => {
    const slices = Array.from({ length: 50 }, (_, i): Parameters<typeof slice> => {
      return [`s${i}`, Array.from({ length: 100 }, (_, j) => `10.1.${i}.${j}`)]
    })
    const { cluster, running } = await startWatched(slices)
    expect(found(running).urls).toHaveLength(5_000)
    cluster.put(
      slice(
        's0',
        Array.from({ length: 99 }, (_, j) => `10.1.0.${j}`),
      ),
    )
    await eventually(() => expect(found(running).urls).toHaveLength(4_999))
    expect(messages(running, 'targets changed').at(-1)).toMatchObject({ added: [], removed: ['http://10.1.0.99:80'] })
  })
})

describe('a watch', () => {
  test('that ends is gone on with, from the version that a bookmark told', async () => {
    const { cluster, running } = await startWatched([['s1', ['10.0.0.1']]])
    cluster.tell('BOOKMARK', { kind: 'EndpointSlice', metadata: {} })
    const { version } = cluster
    cluster.end()
    await eventually(() => expect(cluster.asked).toHaveLength(3))
    expect(cluster.asked[2]?.query.get('resourceVersion')).toBe(version)
    await eventually(() => expect(cluster.watches.size).toBe(1))
    cluster.put(slice('s1', ['10.0.0.2']))
    await eventuallyFinds(running, [b])
    expect([cluster.lists, messages(running, lost)]).toEqual([1, []])
  })

  test.each<[string, (cluster: Awaited<ReturnType<typeof startFakeCluster>>) => void]>([
    [
      'an event',
      cluster => cluster.tell('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' }),
    ],
    [
      'its status',
      cluster => {
        cluster.answer = response => {
          cluster.answer = undefined
          response.writeHead(410).end('{"kind":"Status","code":410}')
        }
        cluster.tell('BOOKMARK', {})
        cluster.end()
      },
    ],
  ])('whose version is gone, by %s, is begun anew by a list: nothing is lost', async (_, expire) => {
    const { cluster, running } = await startWatched([['s1', ['10.0.0.1']]])
    cluster.putSilently(slice('s2', ['10.0.0.2']))
    expire(cluster)
    await eventuallyFinds(running, [a, b])
    await eventually(() => expect(cluster.watches.size).toBe(1))
    cluster.remove('s1')
    await eventuallyFinds(running, [b])
    expect([cluster.lists, messages(running, lost)]).toEqual([2, []])
  })

  test.each<[string, (cluster: Awaited<ReturnType<typeof startFakeCluster>>) => void, string]>([
    ['is cut', cluster => cluster.lose(), ''],
    [
      'is cut in a line',
      cluster => {
        cluster.write(cluster.event('DELETED', slice('s1', [])).slice(0, -9))
        cluster.end()
      },
      'it ended in the middle of a line',
    ],
    ['tells no JSON', cluster => cluster.write('<html>\n'), 'JSON'],
    ['tells no event', cluster => cluster.write('{"type":"HELLO"}\n'), 'no event of an EndpointSlice'],
    ['tells an error', cluster => cluster.tell('ERROR', { code: 500, message: 'etcd is ill' }), 'etcd is ill'],
  ])('that %s leaves what was found last, and is begun anew by a list', async (_, ruin, reason) => {
    const { cluster, running } = await startWatched([['s1', ['10.0.0.1']]])
    cluster.putSilently(slice('s2', ['10.0.0.2']))
    // So that it stays lost for a look at it.
    cluster.answer = response => void response.writeHead(503).end()
    ruin(cluster)
    await eventually(() => expect(messages(running, lost)).toHaveLength(1))
    expect(messages(running, lost)[0]).toMatchObject({ reason: expect.stringContaining(reason), targets: 1 })
    expect(found(running).urls).toEqual([a])
    cluster.answer = undefined
    await eventuallyFinds(running, [a, b])
    expect(messages(running, 'a discovery found its source again')).toHaveLength(1)
  })

  test('that ends as soon as it has begun is not begun again at once', async () => {
    const { cluster, running } = await startWatched([['s1', ['10.0.0.1']]])
    for (let lists = 1; lists < 4; lists++) {
      await eventually(() => expect([cluster.lists, cluster.watches.size]).toEqual([lists, 1]))
      cluster.end()
    }
    await eventually(() => expect(cluster.lists).toBe(4))
    expect(found(running)).toEqual({ urls: [a], stale: undefined })
  })

  test('that the server does not end when it should is given up', async () => {
    const { cluster, running } = await startWatched([['s1', ['10.0.0.1']]], { watch: '1s', timeout: 50 })
    const [hanging] = cluster.watches
    await eventually(() => expect(hanging?.closed).toBe(true))
    await eventuallyFinds(running, [a])
    expect(messages(running, lost)).toEqual([
      expect.objectContaining({ reason: expect.stringContaining('no answer within 1050 ms') }),
    ])
  })
})

describe('an API server', () => {
  test.each<[string, (response: ServerResponse) => void, string]>([
    ['an error', response => void response.writeHead(500).end('{"message":"out of order"}'), '500: out of order'],
    ['a refusal', response => void response.writeHead(403).end('{"message":"no"}'), 'it answered 403: no'],
    ['another page', response => void response.end('<html>'), 'JSON'],
    ['an object', response => void response.end('{}'), 'no list of EndpointSlices'],
    ['silence', () => {}, 'no answer within 50 ms'],
    ['half an answer', response => void response.write('{'), 'no answer within 50 ms'],
  ])('that answers with %s leaves what was found last', async (_, answer, reason) => {
    const { cluster, running } = await startWatched([['s1', ['10.0.0.1']]], { timeout: 50 })
    cluster.answer = answer
    cluster.lose()
    await eventuallyStale(running, reason)
    expect(found(running).urls).toEqual([a])
    cluster.answer = undefined
    await eventuallyFinds(running, [a])
  })

  test('that is not there keeps nobody from starting', async () => {
    const cluster = await startFakeCluster()
    cluster.configure({ server: 'http://127.0.0.1:1' }, {})
    const running = await startWith({ use: 'kubernetes', kubeconfig: cluster.kubeconfig })
    expect(await ask(running)).toBe('503')
    await eventuallyStale(running, 'http://127.0.0.1:1: connect ECONNREFUSED')
  })

  test('is watched once for all who ask the same, over reloads, and let go of by the last', async () => {
    const { cluster, running, discover } = await startWatched([['s1', ['10.0.0.1']]])
    const listen = { port: 0, host: '127.0.0.1' }
    const services = { shop: { discover }, other: { discover: { ...discover, service: 'shop', port: 'http' } } }
    await running.gateway.reload(configOf(discover, { listen, services }))
    await running.gateway.reload(configOf(discover, { listen, services, timeoutStatus: 408 }))
    expect([cluster.watches.size, cluster.asked.length]).toEqual([1, 2])
    await running.gateway.reload({ listen, routes: {} })
    await eventually(() => expect(cluster.watches.size).toBe(0))
  })
})

describe('endpoints', () => {
  const endpoint = (address: string, more: object = {}) => ({ addresses: [address, '10.9.9.9'], ...more })
  const ending = { conditions: { ready: false, serving: true, terminating: true } }

  async function targetsOf(slices: Parameters<typeof slice>[], more: object = {}) {
    const cluster = await startFakeCluster()
    for (const args of slices) cluster.putSilently(slice(...args))
    const { plugin, targets } = viewing()
    const discover = { use: 'kubernetes', kubeconfig: cluster.kubeconfig, ...more }
    const running = await startWith(discover, { plugins: [discovery(), plugin] })
    return { running, targets: targets() }
  }
  const urls = async (...args: Parameters<typeof targetsOf>) => (await targetsOf(...args)).targets.map(({ url }) => url)

  test('that are ready are used, and those that end while they serve when there is no other', async () => {
    const ill = { conditions: { ready: false, serving: false, terminating: false } }
    const over = { conditions: { ready: false, serving: false, terminating: true } }
    const all = [endpoint('10.0.0.1', ending), endpoint('10.0.0.4', ill), endpoint('10.0.0.5', over)]
    // That it is not said counts as ready.
    expect(await urls([['s1', [...all, endpoint('10.0.0.2'), endpoint('10.0.0.3', { conditions: {} })]]])).toEqual([
      b,
      c,
    ])
    expect(await urls([['s1', all]])).toEqual([a])
  })

  test('carry their zone, or the one that they are meant for, and where they run', async () => {
    const hints = { forZones: [{ name: 'eu-2' }] }
    const pod = { targetRef: { kind: 'Pod', name: 'shop-1' }, nodeName: 'n1' }
    const first = endpoint('10.0.0.1', { zone: 'eu-1', hints, ...pod })
    const zones = async (other: object) =>
      (await targetsOf([['s1', [first, endpoint('10.0.0.2', { zone: 'eu-3', ...other })]]])).targets
    const all = await zones({ hints: { forZones: [{ name: 'eu-1' }] } })
    expect(all.map(({ zone }) => zone)).toEqual(['eu-2', 'eu-1'])
    expect({ ...all[0]?.metadata }).toEqual({ pod: 'shop-1', node: 'n1' })
    expect((await zones({})).map(({ zone }) => zone)).toEqual(['eu-1', 'eu-3'])
  })

  test('of both families count once, of the one that is asked for', async () => {
    const both: Parameters<typeof slice>[] = [
      ['six', ['fd00::1'], { addressType: 'IPv6' }],
      ['four', ['10.0.0.1']],
    ]
    const six = 'http://[fd00::1]:80'
    expect(await urls(both)).toEqual([a])
    expect(await urls(both, { family: 'IPv6' })).toEqual([six])
    expect(await urls(both.slice(0, 1))).toEqual([six])
    expect(await urls([['names', ['shop.test'], { addressType: 'FQDN' }]])).toEqual(['http://shop.test:80'])
  })

  test('that two slices have, while one moves to the other, count once', async () => {
    expect(
      await urls([
        ['s1', ['10.0.0.1', '10.0.0.2']],
        ['s2', ['10.0.0.2']],
      ]),
    ).toEqual([a, b])
  })

  test('are asked at the port that is named, or numbered, or the only one', async () => {
    const ports = [
      { name: 'http', port: 80 },
      { name: 'admin', port: 8443, appProtocol: 'https' },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ]
    const slices: Parameters<typeof slice>[] = [['s1', ['10.0.0.1'], { ports }]]
    expect(await urls(slices, { port: 'http' })).toEqual([a])
    expect(await urls(slices, { port: 8443 })).toEqual(['https://10.0.0.1:8443'])
    expect(await urls(slices, { port: 'admin', scheme: 'http' })).toEqual(['http://10.0.0.1:8443'])
    expect(await urls([['s1', ['10.0.0.1'], { ports: ports.toSpliced(1, 1) }]])).toEqual([a])
  })

  test('without such a port, or of another form, are left out and named', async () => {
    const { targets, running } = await targetsOf(
      [
        ['wrong', [{}]],
        ['other', ['10.0.0.2'], { ports: [{ name: 'admin', port: 81 }] }],
        ['empty', [], { ports: null }],
        ['s1', ['10.0.0.1']],
      ],
      { port: 'http' },
    )
    expect(targets.map(({ url }) => url)).toEqual([a])
    expect(messages(running, 'EndpointSlice other is left out')).toEqual([
      expect.objectContaining({ reason: 'it has no port http over TCP, only admin (81)' }),
    ])
    expect(messages(running, 'EndpointSlice wrong is left out')).toHaveLength(1)
    expect(messages(running, 'EndpointSlice empty is left out')).toEqual([])
    const several = await targetsOf([['s1', ['10.0.0.1'], { ports: [{ port: 80, name: 'a' }, { port: 81 }] }]])
    expect(messages(several.running, 'EndpointSlice s1 is left out')).toEqual([
      expect.objectContaining({ reason: 'it has these ports: a (80), 81; say which by "port"' }),
    ])
  })
})
