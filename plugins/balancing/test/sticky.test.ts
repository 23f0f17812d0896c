import { balancing } from '@gateway/balancing'
import { Secret } from '@gateway/core'
import { describe, expect, test, vi } from 'vitest'
import { fakeTarget } from '../../../test/support/fake-target.ts'
import { StickyCookies } from '../src/sticky-cookie.ts'
import { ask, backends, configOf, start, switchboard } from './gateway-support.ts'
import { targetsOf } from './support.ts'

const key = 'a key for tests'
const byCookie = (cookie: object = {}) => ({ balancing: { sticky: { cookie } } })

describe('a cookie', () => {
  test('leads back to its target; without one the balancer decides, and a cookie is set once', async () => {
    const targets = await backends('abc')
    const running = await start([balancing({ key })], { targets, ...byCookie() })
    for (const letter of 'abc') {
      const { from, cookie = '' } = await ask(running)
      expect(from).toBe(letter)
      for (let i = 0; i < 3; i++)
        expect(await ask(running, { cookie: `x=1; ${cookie}` })).toMatchObject({ from, field: undefined })
    }
  })

  test('says what its options say, and no address', async () => {
    const targets = await backends('a')
    const first = await start([balancing({ key })], { targets, ...byCookie() })
    expect((await ask(first)).field).toMatch(
      /^GATEWAY_SESSION=[\w-]{16}\.0\.[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax$/,
    )
    const cookie = { name: '__Host-s', ttl: '1h', sameSite: 'None', secure: true }
    const second = await start([balancing({ key })], { targets, ...byCookie(cookie) })
    expect((await ask(second)).field).toMatch(
      /^__Host-s=[\w-]{16}\.\w+\.[\w-]{22}; Path=\/; Max-Age=3600; HttpOnly; SameSite=None; Secure$/,
    )
  })

  test('is Secure where the client came over TLS', async () => {
    const targets = await backends('a')
    const running = await start([balancing({ key })], { targets, ...byCookie() })
    const response = await running.gateway.fetch('https://gateway.test/')
    expect(response.headers.getSetCookie()[0]).toContain('; Secure')
  })

  test('whose target is out leads to another, with a new cookie', async () => {
    const targets = await backends('ab')
    const { plugin, takeOut } = switchboard()
    const running = await start([balancing({ key }), plugin()], { targets, ...byCookie() })
    const { from, cookie = '' } = await ask(running)
    expect(from).toBe('a')
    const letIn = takeOut(targets[0])
    const moved = await ask(running, { cookie })
    expect(moved.from).toBe('b')
    expect(moved.cookie).not.toBe(cookie)
    letIn()
    // The session has moved, and stays where it is.
    expect(await ask(running, { cookie: moved.cookie ?? '' })).toMatchObject({ from: 'b', field: undefined })
  })

  test('whose target cannot be reached leads to another, with a new cookie', async () => {
    const [alive = ''] = await backends('b')
    const running = await start([balancing({ key })], { targets: ['http://127.0.0.1:9', alive], ...byCookie() })
    const signed = new StickyCookies('shop', [new Secret('key', () => key)]).issue(fakeTarget('http://127.0.0.1:9'), 0)
    const moved = await ask(running, { cookie: `GATEWAY_SESSION=${signed}` })
    expect(moved.from).toBe('b')
    expect(await ask(running, { cookie: moved.cookie ?? '' })).toMatchObject({ from: 'b', field: undefined })
  })

  test('leads to a target of weight 0, which gets no new sessions', async () => {
    const [a, b] = await backends('ab')
    const running = await start([balancing({ key })], { targets: [{ url: a, weight: 1 }, b], ...byCookie() })
    const { from, cookie = '' } = await ask(running)
    expect(from).toBe('a')
    await running.gateway.reload(configOf([balancing({ key })], { targets: [{ url: a, weight: 0 }, b], ...byCookie() }))
    expect((await ask(running, { cookie })).from).toBe('a')
    for (let i = 0; i < 3; i++) expect((await ask(running)).from).toBe('b')
  })

  test('survives a reload, and a change of key that keeps the old one', async () => {
    const targets = await backends('abc')
    const running = await start([balancing({ key })], { targets, ...byCookie() })
    await ask(running)
    const { from, cookie = '' } = await ask(running)
    await running.gateway.reload(configOf([balancing({ key })], { targets, ...byCookie() }, { drainTimeout: '1s' }))
    expect(await ask(running, { cookie })).toMatchObject({ from, field: undefined })
    await running.gateway.reload(configOf([balancing({ key: ['new', key] })], { targets, ...byCookie() }))
    const renewed = await ask(running, { cookie })
    expect(renewed.from).toBe(from)
    expect(renewed.cookie).not.toBe(cookie)
    await running.gateway.reload(configOf([balancing({ key: 'new' })], { targets, ...byCookie() }))
    expect(await ask(running, { cookie: renewed.cookie ?? '' })).toMatchObject({ from, field: undefined })
  })

  test('is not set on what the gateway answers itself', async () => {
    const running = await start([balancing({ key })], { targets: ['http://127.0.0.1:9'], ...byCookie() })
    expect(await ask(running)).toMatchObject({ status: 502, field: undefined })
  })

  test('without a key the config is refused', async () => {
    await expect(start([balancing()], { targets: ['http://a'], ...byCookie() })).rejects.toThrow('need a key')
  })

  test.each([
    [{ sameSite: 'None' }, "must be true with sameSite: 'None'"],
    [{ name: '__Host-a' }, 'needs secure: true'],
    [{ name: '__Secure-a' }, 'needs secure: true'],
    [{ name: 'a b' }, 'must be a name'],
    [{ ttl: 10 }, 'must be at least 1s'],
    [{ path: 'x; HttpOnly' }, 'must be a path'],
  ])('options that browsers would not take are refused: %o', async (cookie, message) => {
    await expect(start([balancing({ key })], { targets: ['http://a'], ...byCookie(cookie) })).rejects.toThrow(message)
  })
})

describe('what a cookie may say', () => {
  const secret = (value: string) => new Secret('key', () => value)
  const targets = targetsOf(3)
  const [target = expect.fail()] = targets
  const cookies = new StickyCookies('shop', [secret(key)])
  const now = 1_700_000_000
  const good = cookies.issue(target, now + 60)

  test('what was signed here is read, to the second', () => {
    expect(cookies.read(good, targets, now)).toEqual({ target, expires: now + 60, isOld: false })
    expect(cookies.read(good, targets, now + 59)).toBeDefined()
    expect(cookies.read(good, targets, now + 60)).toBeUndefined()
    expect(cookies.read(cookies.issue(target, 0), targets, now * 2)).toMatchObject({ target, expires: 0 })
  })

  test('of a target that left nothing but the signature is good', () => {
    expect(cookies.read(good, targets.slice(1), now)).toMatchObject({ target: undefined })
  })

  const [digest = '', end = '', signature = ''] = good.split('.')
  test.each<[string, string]>([
    ['nothing', ''],
    ['any text', 'x'.repeat(5_000)],
    ['no signature', `${digest}.${end}.`],
    ['another signature', `${digest}.${end}.${'A'.repeat(22)}`],
    ['a later end', `${digest}.${(now + 99_999).toString(36)}.${signature}`],
    ['no end', `${digest}.0.${signature}`],
    ['another target', `${cookies.issue(targets[1] ?? target, now + 60).split('.')[0]}.${end}.${signature}`],
    ["another service's", new StickyCookies('other', [secret(key)]).issue(target, now + 60)],
    ["another key's", new StickyCookies('shop', [secret('guess')]).issue(target, now + 60)],
    ['characters of more than one byte', `${digest}.${end}.${'é'.repeat(22)}`],
  ])('forged: %s', (_, value) => {
    expect(cookies.read(value, targets, now)).toBeUndefined()
  })

  test('the address does not show, nor can it be guessed without the key', () => {
    expect(good).not.toContain('10.0')
    expect(new StickyCookies('shop', [secret('guess')]).issue(target, now + 60).split('.')[0]).not.toBe(digest)
  })

  test('a key that is rotated holds from then on', () => {
    let value = 'one'
    const rotating = new StickyCookies('shop', [new Secret('file', () => value)])
    const before = rotating.issue(target, 0)
    value = 'two'
    expect(rotating.read(before, targets, now)).toBeUndefined()
    expect(rotating.read(rotating.issue(target, 0), targets, now)).toMatchObject({ target })
  })
})

test('a cookie past half of its time is renewed, one that is over is not believed', async () => {
  const targets = await backends('ab')
  const running = await start([balancing({ key })], { targets, ...byCookie({ ttl: '100s' }) })
  const { from, cookie = '' } = await ask(running)
  expect(from).toBe('a')
  const began = Date.now()
  const clock = vi.spyOn(Date, 'now')
  try {
    clock.mockReturnValue(began + 40_000)
    expect(await ask(running, { cookie })).toMatchObject({ from, field: undefined })
    clock.mockReturnValue(began + 60_000)
    const renewed = await ask(running, { cookie })
    expect(renewed.from).toBe(from)
    clock.mockReturnValue(began + 130_000)
    expect((await ask(running, { cookie: renewed.cookie ?? '' })).from).toBe(from)
    expect((await ask(running, { cookie })).field).toBeDefined()
  } finally {
    clock.mockRestore()
  }
})

type Parts = [fields: Record<string, string>, path: string]

describe.each<[string, object, (id: string) => Parts]>([
  ['header', { header: 'X-Session-Id' }, (id: string): Parts => [{ 'x-session-id': id }, '/']],
  ['query', { query: 'session' }, (id: string): Parts => [{}, `/?a=1&session=${id}`]],
])('a session in the %s', (_, sticky, request) => {
  test('stays, moves when its target is out, and comes back', async () => {
    const targets = await backends('abc')
    const { plugin, takeOut } = switchboard()
    const running = await start([balancing(), plugin()], { targets, balancing: { sticky } })
    const whereabouts = async () => {
      const found: Record<string, string> = {}
      // So many that each of the three has some, whatever their ports are.
      for (let i = 0; i < 50; i++) found[i] = (await ask(running, ...request(`s${i}`))).from
      return found
    }
    const before = await whereabouts()
    expect(new Set(Object.values(before)).size).toBe(3)
    expect(await whereabouts()).toEqual(before)
    const letIn = takeOut(targets[1])
    const during = await whereabouts()
    for (const [id, letter] of Object.entries(before)) {
      if (letter === 'b') expect(during[id]).not.toBe('b')
      else expect(during[id]).toBe(letter)
    }
    letIn()
    expect(await whereabouts()).toEqual(before)
  })

  test('without one the balancer decides', async () => {
    const targets = await backends('ab')
    const running = await start([balancing()], { targets, balancing: { sticky } })
    expect([(await ask(running)).from, (await ask(running)).from]).toEqual(['a', 'b'])
  })
})
