import { once } from 'node:events'
import { connect as connectHttp2, constants } from 'node:http2'
import { text } from 'node:stream/consumers'
import { balancing } from '@gateway/balancing'
import { definePlugin, GatewayError, type Problem, type Route, type RouteHooks } from '@gateway/core'
import { health } from '@gateway/health'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { normalise } from '../../../core/src/config/normalise.ts'
import { serialiseModel } from '../../../core/src/control/serialise-model.ts'
import { Fields } from '../../../core/src/http1/fields.ts'
import { lint } from '../../../core/src/inspect/lint.ts'
import { createDecide } from '../../../core/src/plan/decide.ts'
import { replay } from '../../../core/src/plan/replay.ts'
import { onCleanup } from '../../support/cleanup.ts'
import { type LooseConfig, startGateway } from '../../support/gateway.ts'
import { recordingBackend, refusingOrigin } from '../../support/upstream.ts'
import { connect, requestText, responseText } from '../../support/wire.ts'
import { ask, askProblem, errorsOf, hooked, startProxy } from './support.ts'

/** A plugin whose route options are the services that it may choose. */
const chooser = (hooks: RouteHooks, onRoute?: (route: Route<string[]>) => void) =>
  definePlugin({
    name: 'choose',
    routeOptions: z.array(z.string()),
    services: names => names.map((name, index) => ({ name, path: [index] })),
    setup: () => ({
      onRoute(route) {
        onRoute?.(route)
        return route.options && hooks
      },
    }),
  })()

const toSecond: RouteHooks = { onRequest: ctx => ctx.useService('second') }

const backend = (name: string) => recordingBackend(() => responseText(200, [], name))

function configOf(plugins: readonly unknown[], first: string, second: string, more: LooseConfig = {}): LooseConfig {
  return {
    plugins,
    services: { first: { targets: [first] }, second: { targets: [second], preserveHost: true } },
    routes: { all: { match: 'ANY /a/*', service: 'first', stripPrefix: '/a', choose: ['second'], ...more } },
  }
}

describe('useService', () => {
  test('sends the request to that service, as the route and the service say', async () => {
    const [first, second] = [await backend('first'), await backend('second')]
    const seen: (string | undefined)[] = []
    const plugin = chooser({ ...toSecond, onFinish: ctx => void seen.push(ctx.service) }, ({ services }) =>
      seen.push(...services),
    )
    const running = await startGateway(configOf([plugin], first.origin, second.origin))
    expect(await ask(running, '/a/b')).toBe('200 second')
    expect(first.requests).toEqual([])
    expect(second.only.start).toBe('GET /b HTTP/1.1')
    expect(second.only.lines).toContain('Host: gateway.test')
    expect(seen).toEqual(['first', 'second', 'second'])
  })

  test('may be asked for before another attempt', async () => {
    const second = await backend('second')
    const plugin = chooser({
      onAttemptEnd(ctx, _attempt, outcome) {
        if (!('error' in outcome)) return
        ctx.useService('second')
        return 'retry'
      },
    })
    const running = await startGateway(configOf([plugin], await refusingOrigin(), second.origin))
    expect(await ask(running, '/a/b')).toBe('200 second')
  })

  test('fails a request for a service that the route does not name', async () => {
    const first = await backend('first')
    const plugin = chooser({ onRequest: ctx => ctx.useService('third') })
    const running = await startGateway(configOf([plugin], first.origin, first.origin))
    expect(await askProblem(running, '/a/b')).toBe('500 GATEWAY_PLUGIN_FAILED')
    expect(errorsOf(running)[0]).toMatch(/route "all" does not go to "third"/)
  })

  test('tells the balancer of the service that was chosen', async () => {
    const [first, second] = [await backend('first'), await backend('second')]
    const observed: string[] = []
    const balancer = definePlugin({
      name: 'watching',
      extensions: [
        {
          point: 'balancer' as const,
          name: 'watching',
          create: (_host: unknown, _options: unknown, service: string) => ({
            pick: (targets: readonly never[]) => targets[0],
            observe: () => void observed.push(service),
          }),
        },
      ],
    })()
    const config = configOf([balancer, chooser(toSecond)], first.origin, second.origin)
    const balance = 'watching'
    const services = {
      first: { targets: [first.origin], balance },
      second: { targets: [second.origin], balance },
    }
    const running = await startGateway({ ...config, services })
    await ask(running, '/a/b')
    expect(observed).toEqual(['second'])
  })
})

describe('of the service that was chosen', () => {
  const startWith = async (plugins: readonly unknown[], service: object, letters: string) => {
    const first = await backend('first')
    const seconds = await Promise.all([...letters].map(letter => recordingBackend(() => letterAnswer(letter))))
    const config = configOf([...plugins, chooser(toSecond)], first.origin, '')
    const second = { targets: seconds.map(({ origin }) => origin), ...service }
    return startGateway({ ...config, services: { first: { targets: [first.origin] }, second } })
  }
  const letterAnswer = (letter: string) => responseText(letter === 'x' ? 500 : 200, [], letter)

  test('targets that fail are ejected', async () => {
    const options = { health: { passive: { failures: 2 } } }
    const running = await startWith([health()], options, 'xa')
    const answers: string[] = []
    for (let i = 0; i < 8; i++) answers.push(await ask(running, '/a/b'))
    expect(answers.filter(answer => answer === '500 x')).toHaveLength(2)
  })

  test('sessions stick', async () => {
    const options = { balancing: { sticky: { cookie: {} } } }
    const running = await startWith([balancing({ key: 'a key' })], options, 'abc')
    const response = await running.gateway.fetch('http://gateway.test/a/b')
    const from = await response.text()
    const [cookie = ''] = response.headers.getSetCookie()
    for (let i = 0; i < 4; i++) expect(await ask(running, '/a/b', { headers: { cookie } })).toBe(`200 ${from}`)
  })
})

describe('services that a plugin names', () => {
  async function unused(config: LooseConfig): Promise<Problem[]> {
    const { model } = normalise(config)
    if (model === undefined) expect.fail('the config is refused')
    const found = await lint({ model, config, sources: () => new Map() })
    return found.filter(({ code }) => code === 'CONFIG_UNUSED_SERVICE')
  }

  test('have to be in the config', () => {
    const { problems } = normalise(configOf([chooser({})], 'http://a', 'http://b', { choose: ['second', 'secnd'] }))
    expect(problems).toEqual([
      {
        severity: 'error',
        code: 'CONFIG_UNKNOWN_SERVICE',
        message: 'there is no service "secnd"',
        path: ['routes', 'all', 'choose', 1],
        hint: 'did you mean "second"?',
      },
    ])
  })

  test('are used', async () => {
    expect(await unused(configOf([chooser({})], 'http://a', 'http://b'))).toEqual([])
    expect(await unused(configOf([chooser({})], 'http://a', 'http://b', { choose: [] }))).toHaveLength(1)
  })

  test('are explained, and a reload that changes them takes', async () => {
    const [first, second] = [await backend('first'), await backend('second')]
    const running = await startGateway(configOf([chooser(toSecond)], first.origin, second.origin))
    const explained = () => {
      const { route } = running.gateway.explain({ method: 'GET', url: '/a/b' })
      return route?.action.kind === 'service' ? route.action.others : []
    }
    expect(explained()).toMatchObject([
      {
        service: 'second',
        host: 'target',
        origin: { path: ['services', 'second'] },
        targets: [{ url: second.origin }],
      },
    ])
    const { changed } = await running.gateway.reload(
      configOf([chooser({})], first.origin, second.origin, { choose: [] }),
    )
    expect([changed, explained()]).toEqual([true, []])
    expect(await ask(running, '/a/b')).toBe('200 first')
  })

  test('are looked for, and are the new ones, when only they have changed', async () => {
    const [first, second] = [await backend('first'), await backend('second')]
    // Without hooks of a plugin the route could be kept as it is.
    const plugins = [chooser({})]
    const inline = { onRequest: toSecond.onRequest }
    const config = configOf(plugins, first.origin, second.origin, inline)
    const running = await startGateway(config)
    expect(await ask(running, '/a/b')).toBe('200 second')
    const third = await backend('third')
    await running.gateway.reload(configOf(plugins, first.origin, third.origin, inline))
    expect(await ask(running, '/a/b')).toBe('200 third')
    const services = { first: { targets: [first.origin] } }
    await expect(running.gateway.reload({ ...config, services })).rejects.toThrow(/there is no service "second"/)
  })

  test('are among what a plan compares', async () => {
    const decide = async (second: string) => {
      const { model } = normalise(configOf([chooser({})], 'http://a.test', second))
      if (model === undefined) expect.fail('the config is refused')
      return createDecide(await serialiseModel(model, 'salt'), model)
    }
    const request = { method: 'GET', url: '/a/b', host: 'gateway.test', fields: Fields.from([]) }
    const pieces = async function* () {
      yield [{ line: 1, found: request }]
    }
    const [before, after] = [await decide('http://b.test'), await decide('http://c.test')]
    expect((await replay(pieces(), before, before, undefined)).differing).toBe(0)
    expect((await replay(pieces(), before, after, undefined)).groups).toMatchObject([{ differs: ['target'] }])
  })
})

describe('forward to another service', () => {
  test('sends a copy with a body of its own, through no hook', async () => {
    const [first, second] = [await backend('first'), await backend('second')]
    const seen: string[] = []
    const plugin = chooser({
      async onRequest(ctx) {
        const answer = await ctx.forward({ service: 'second', body: Buffer.from('copy') })
        seen.push(`${answer.target} ${await text(answer.body)}`)
      },
      onAttempt: (_ctx, { target }) => void seen.push(target.url),
    })
    const running = await startGateway(configOf([plugin], first.origin, second.origin))
    expect(await ask(running, '/a/b', { method: 'POST', body: 'original' })).toBe('200 first')
    expect([first.only.body, second.only.body]).toEqual(['original', 'copy'])
    expect(second.only.lines).toContain('Content-Length: 4')
    expect(seen).toEqual([`${second.origin} second`, first.origin])
  })

  test('needs the body of a request that has one, and rejects with what failed, without an error in the log', async () => {
    const first = await backend('first')
    const failures: unknown[] = []
    const plugin = chooser({
      async onRequest(ctx) {
        for (const body of [undefined, Buffer.from('x')])
          await ctx.forward({ service: 'second', ...(body && { body }) }).catch(error => failures.push(error))
      },
    })
    const running = await startGateway(configOf([plugin], first.origin, await refusingOrigin()))
    expect(await ask(running, '/a/b', { method: 'POST', body: 'x' })).toBe('200 first')
    expect(failures).toEqual([expect.any(TypeError), expect.objectContaining({ code: 'GATEWAY_UPSTREAM_CONNECT' })])
    expect(errorsOf(running)).toEqual([])
  })
})

describe('a filter that observes', () => {
  const looks = (seen: string[]) => ({
    observes: true as const,
    push(chunk: Uint8Array) {
      seen.push(Buffer.from(chunk).toString())
      return undefined
    },
    end: () => Buffer.from('more'),
  })

  test('sees a body that keeps its length', async () => {
    const first = await backend('answer')
    const seen: string[] = []
    const running = await startProxy(first.origin, [
      hooked('looks', { onRequestBody: () => looks(seen), onResponseBody: () => looks(seen) }),
    ])
    const wire = await connect(running.port)
    wire.send(requestText('POST /', [], 'question'))
    const response = await wire.response()
    expect(response.lines).toContain('Content-Length: 6')
    expect(response.body).toBe('answer')
    expect(first.only.lines).toContain('Content-Length: 8')
    expect(first.only.body).toBe('question')
    expect(seen).toEqual(['question', 'answer'])
  })

  test('does not keep the length of a body that another changes', async () => {
    const first = await backend('answer')
    const seen: string[] = []
    const changes = hooked('changes', { onRequestBody: () => ({ push: () => Buffer.from('changed') }) })
    const running = await startProxy(first.origin, [changes, hooked('looks', { onRequestBody: () => looks(seen) })])
    expect(await ask(running, '/', { method: 'POST', body: 'question' })).toBe('200 answer')
    expect([first.only.body, ...seen]).toEqual(['changed', 'changed'])
  })
})

describe('an error that cuts off', () => {
  const cutting = (seen: string[]) =>
    hooked('cuts', {
      onRequest(ctx) {
        if (ctx.path !== '/cut') return { status: 204 }
        throw new GatewayError('CUT_OFF', 'on purpose', { source: 'client', cutsOff: true })
      },
      onError: () => void seen.push('error'),
      onResponse: ({ path }) => void seen.push(`response ${path}`),
      onFinish: (_ctx, { status, error }) => void seen.push(`${status} ${error?.code}`),
    })

  test('is answered by the end of the connection', async () => {
    const seen: string[] = []
    const running = await startProxy('http://127.0.0.1:9', [cutting(seen)])
    const wire = await connect(running.port)
    wire.send(requestText('GET /cut'))
    await wire.gone()
    expect(wire.transcript).toBe('')
    expect(seen).toEqual(['0 CUT_OFF'])
  })

  test('resets no more than its stream of HTTP/2', async () => {
    const seen: string[] = []
    const running = await startProxy('http://127.0.0.1:9', [cutting(seen)])
    const session = connectHttp2(`http://127.0.0.1:${running.port}`)
    onCleanup('clients', async () => session.destroy())
    const cut = session.request({ ':path': '/cut' })
    await once(cut, 'close')
    expect(cut.rstCode).toBe(constants.NGHTTP2_CANCEL)
    const [answer] = await once(session.request({ ':path': '/' }).resume(), 'response')
    expect(answer[':status']).toBe(204)
    expect(seen.slice(0, 2)).toEqual(['0 CUT_OFF', 'response /'])
  })
})
