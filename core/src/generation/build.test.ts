import { describe, expect, test } from 'vitest'
import { defineConfig } from '../config/define-config.ts'
import { type Normalised, normalise, normaliseAfter } from '../config/normalise.ts'
import { ConfigProblems } from '../config/problem.ts'
import type { Host } from '../contract/host.ts'
import { defineExtension, definePlugin } from '../contract/plugin.ts'
import { silentLog } from '../log.ts'
import { whole } from '../slices.ts'
import type { Service } from '../upstream/service.ts'
import { buildGeneration } from './build.ts'
import type { Generation } from './generation.ts'
import { SharedStore } from './shared-store.ts'

function modelOf(config: unknown) {
  const { model, problems } = normalise(config)
  if (model === undefined) throw new ConfigProblems(problems)
  return model
}

/** Notes down what is opened and closed, in order. */
function journal() {
  const lines: string[] = []
  const open = (host: Host, name: string) => {
    lines.push(`open ${name}`)
    host.defer(() => void lines.push(`close ${name}`))
    host.share({ name, create: () => lines.push(`make ${name}`), close: () => void lines.push(`end ${name}`) })
  }
  const plugin = (name: string, then: () => unknown = () => undefined) =>
    definePlugin({
      name,
      setup(host) {
        open(host, `${name}.1`)
        open(host, `${name}.2`)
        return then() as undefined
      },
    })()
  return { lines, open, plugin }
}

const boom = () => {
  throw new Error('boom')
}
const reply = { match: 'GET /', reply: { status: 200 } } as const
const opened = (name: string) => [`open ${name}.1`, `make ${name}.1`, `open ${name}.2`, `make ${name}.2`]
const closed = (name: string) => [`close ${name}.2`, `close ${name}.1`]

describe('a build that fails half-way closes what it has opened, newest first', () => {
  const { lines, plugin, open } = journal()
  const provider = (create: (host: Host) => never) =>
    definePlugin({ name: 'provider', extensions: [defineExtension({ point: 'balancer', name: 'own', create })] })()
  const failing = (host: Host): never => {
    open(host, 'extension')
    return boom()
  }
  const service = { s: { targets: ['http://127.0.0.1:9'] } }
  test.each<[string, () => unknown, string[], string[]]>([
    [
      'in a set-up',
      () => ({ plugins: [plugin('a'), plugin('b', boom), plugin('c')], routes: { reply } }),
      [...opened('a'), ...opened('b')],
      [...closed('b'), ...closed('a')],
    ],
    [
      'in a set-up that waits',
      () => ({ plugins: [plugin('a'), plugin('b', () => Promise.reject(new Error('boom')))], routes: { reply } }),
      [...opened('a'), ...opened('b')],
      [...closed('b'), ...closed('a')],
    ],
    [
      'in onRoute',
      () => ({ plugins: [plugin('a', () => ({ onRoute: boom })), plugin('b')], routes: { reply } }),
      [...opened('a'), ...opened('b')],
      [...closed('b'), ...closed('a')],
    ],
    [
      'in a balancer',
      () => ({
        plugins: [plugin('a'), provider(failing)],
        services: { s: { ...service.s, balance: 'own' } },
        routes: { r: { match: 'GET /', service: 's' } },
      }),
      [...opened('a'), 'open extension', 'make extension'],
      ['close extension', ...closed('a')],
    ],
  ])('%s', async (_, config, before, after) => {
    lines.length = 0
    const store = new SharedStore()
    await expect(buildGeneration(1, modelOf(config()), store, silentLog)).rejects.toBeInstanceOf(ConfigProblems)
    expect(lines.filter(line => !line.startsWith('end'))).toEqual([...before, ...after])
    const made = lines.filter(line => line.startsWith('make')).map(line => line.replace('make', 'end'))
    expect(lines.filter(line => line.startsWith('end')).toSorted()).toEqual(made.toSorted())
    expect(store.names).toEqual([])
  })

  test('and leaves alone what an older generation holds', async () => {
    lines.length = 0
    const store = new SharedStore()
    const config = (then?: () => unknown) =>
      modelOf({ plugins: [plugin('a', then)], services: service, routes: { r: { match: 'GET /', service: 's' } } })
    const first = await buildGeneration(1, config(), store, silentLog)
    const before = store.names
    await expect(buildGeneration(2, config(boom), store, silentLog)).rejects.toThrow('boom')
    expect(store.names).toEqual(before)
    expect(lines.filter(line => line.startsWith('end'))).toEqual([])
    await first.release()
    expect(store.names).toEqual([])
  })
})

test('every set-up gets its validated options and runs in the order of the plugins, once', async () => {
  const seen: unknown[] = []
  const plugin = (name: string, stage: 'guard' | 'shape') =>
    definePlugin({
      name,
      stage,
      setup: async (_host, options) => {
        await Promise.resolve()
        seen.push([name, options])
      },
    })()
  const generation = await buildGeneration(
    1,
    modelOf({ plugins: [plugin('b', 'shape'), plugin('a', 'guard')], routes: {} }),
    new SharedStore(),
    silentLog,
  )
  expect(seen).toEqual([
    ['a', undefined],
    ['b', undefined],
  ])
  await generation.release()
})

test('all that plugins find wrong with routes is told together', async () => {
  const picky = (name: string) =>
    definePlugin({ name, setup: () => ({ onRoute: route => route.problem(`not ${route.name}`) }) })()
  const model = modelOf(
    defineConfig({
      plugins: [picky('a'), picky('b')],
      routes: { one: { match: 'GET /1', redirect: '/' }, two: { match: 'GET /2', redirect: '/' } },
    }),
  )
  const error: unknown = await buildGeneration(1, model, new SharedStore(), silentLog).catch(reason => reason)
  expect(error).toBeInstanceOf(ConfigProblems)
  expect((error as ConfigProblems).problems.map(({ message, path }) => `${path?.join('.')} ${message}`)).toEqual([
    'routes.one.a plugin "a": not one',
    'routes.one.b plugin "b": not one',
    'routes.two.a plugin "a": not two',
    'routes.two.b plugin "b": not two',
  ])
})

test('connections of services with the same target and options are the same, others are not', async () => {
  const store = new SharedStore()
  const service = (more: object = {}) => ({ targets: ['http://127.0.0.1:9'], ...more })
  const services = {
    a: service(),
    b: service(),
    c: service({ pool: { connections: 1 } }),
    d: service({ tls: { ca: 'secret' } }),
  }
  const routes = Object.fromEntries(Object.keys(services).map(name => [name, { match: `GET /${name}`, service: name }]))
  const generation = await buildGeneration(1, modelOf({ services, routes }), store, silentLog)
  expect(store.names).toHaveLength(3)
  expect(store.names.join()).not.toContain('secret')
  await generation.release()
})

describe('what the generation before made of an equal model is taken over', () => {
  const plugin = (name: string, hooks: (route: { name: string }) => object | undefined) =>
    definePlugin({ name, setup: () => ({ onRoute: route => hooks(route) as never }) })()
  const targets = ['http://127.0.0.1:9', 'http://127.0.0.1:10']
  const service = (name: string) => ({ match: `GET /${name}`, service: name }) as const

  /** Builds one generation of each config, the later ones after the earlier. */
  async function generations(store: SharedStore, ...configs: unknown[]) {
    let normalised: Normalised | undefined
    const built: Generation[] = []
    for (const config of configs) {
      normalised = whole(normaliseAfter(normalised, config))
      if (normalised.model === undefined) throw new ConfigProblems(normalised.problems)
      built.push(await buildGeneration(built.length + 1, normalised.model, store, silentLog, built.at(-1)))
    }
    const route = (name: string) =>
      built.map(({ routes }) => routes.find(({ model }) => model.name === name)?.compiled ?? name)
    const running = (name: string) => built.map(({ services }) => services.get(name)?.service ?? name)
    const routers = built.map(({ router }) => router)
    return { route, running, routers, release: () => Promise.all(built.map(generation => generation.release())) }
  }
  const isKept = ([a, b]: readonly unknown[]) => a === b

  test('services of the kernel alone and routes without hooks of plugins; an edit leaves the others alone', async () => {
    const store = new SharedStore()
    const config = (rewrite: string, weight: number) => ({
      plugins: [plugin('a', ({ name }) => (name === 'hooked' ? { onRequest() {} } : undefined))],
      services: { one: { targets }, two: { targets: [targets[0], { url: targets[1], weight }] } },
      routes: {
        edited: { ...service('one'), match: 'GET /x', rewrite },
        plain: service('one'),
        other: service('two'),
        hooked: { ...service('one'), match: 'GET /h' },
      },
    })
    const { route, running, release } = await generations(store, config('/a', 1), config('/b', 2))
    expect(['edited', 'plain', 'other', 'hooked'].filter(name => isKept(route(name)))).toEqual(['plain'])
    expect(['one', 'two'].filter(name => isKept(running(name)))).toEqual(['one'])
    // A target of the service that was edited stays, too.
    const [before, after] = running('two') as [Service, Service]
    expect(after.targets.map(target => before.targets.includes(target))).toEqual([true, false])
    await release()
    expect(store.names).toEqual([])
  })

  test('the router, as long as routes are chosen for the same requests', async () => {
    const store = new SharedStore()
    const config = (method: string, status: number, name = 'two') => ({
      routes: {
        one: { match: `${method} /one`, reply: { status } },
        [name]: { match: 'GET /two', reply: { status: 200 } },
      },
    })
    const configs = [config('GET', 200), config('GET', 201), config('PUT', 201), config('PUT', 201, 'other')]
    const { routers, release } = await generations(store, ...configs)
    expect(routers.map(router => routers.indexOf(router))).toEqual([0, 0, 2, 3])
    await release()
  })

  test('not what plugins provide, which ends with its generation; but the targets that were found', async () => {
    const store = new SharedStore()
    let watches = 0
    const finding = definePlugin({
      name: 'finding',
      extensions: [
        defineExtension({
          point: 'discovery',
          name: 'once',
          // The second time it has not found anything yet.
          create: () => ({ watch: update => (watches++ === 0 ? update([{ url: 'http://127.0.0.1:9' }]) : undefined) }),
        }),
      ],
    })()
    const slowing = definePlugin({
      name: 'slowing',
      setup: () => ({
        onService(service) {
          for (const target of service.targets) service.scaleWeight(target, 0.5)
        },
      }),
    })
    const config = (timeoutStatus: number) => ({
      plugins: [finding, slowing()],
      timeoutStatus,
      services: { one: { discover: 'once', preserveHost: timeoutStatus === 408 } },
      routes: { one: service('one') },
    })
    // From the second on, what is known of the target is a scaled weight, too.
    const { running, release } = await generations(store, config(504), config(408), config(504))
    const [before, , after] = running('one') as [Service, Service, Service]
    expect([before === after, after.targets, after.discovery]).toEqual([false, before.targets, before.discovery])
    expect(after.targets[0]).toBe(before.targets[0])
    await release()
    expect(store.names).toEqual([])
  })
})
