import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Agent, fetch as undiciFetch } from 'undici'
import { beforeAll, describe, expect, test } from 'vitest'
import { createAuthority } from '../support/certificates.ts'
import { onCleanup } from '../support/cleanup.ts'
import { makeFolder } from '../support/folder.ts'
import { isInstalled, needsProgram } from '../support/program.ts'
import { digest, large, type Site, startSite } from './site.ts'

const authority = await createAuthority()
const folder = makeFolder()

/** More than a megabyte, for which curl waits for 100 Continue. */
const body = Buffer.alloc(1_200_000, '0123456789abcdef')
const bodyFile = join(folder, 'body')
await writeFile(bodyFile, body)

interface Output {
  readonly stdout: Buffer
  readonly stderr: string
}

/** Runs a program to its end; rejects with what it printed unless it succeeds. */
async function run(program: string, ...args: readonly string[]): Promise<Output> {
  const options = { encoding: 'buffer', maxBuffer: 2 * large.length, timeout: 30_000 } as const
  const { stdout, stderr } = await promisify(execFile)(program, args, options)
  return { stdout, stderr: stderr.toString() }
}

describe('curl', () => {
  needsProgram('curl', 'curl')

  test.each<[string, keyof Site, string]>([
    ['--http1.1', 'http', '1.1'],
    // Asks to upgrade to h2c, which RFC 9113 gave up: answered as if it had not.
    ['--http2', 'http', '1.1'],
    ['--http2-prior-knowledge', 'http', '2'],
    ['--http1.1', 'https', '1.1'],
    ['--http2', 'https', '2'],
    ['--http2', 'https1', '1.1'],
  ])('%s, %s', async (flag, scheme, version) => {
    const origin = (await startSite(authority))[scheme]
    const curl = async (path: string, ...args: readonly string[]) => {
      const metadata = ['-w', '%{stderr}%{http_code} %{http_version} %header{x-via} %header{content-type}']
      const { stdout, stderr } = await run(
        'curl',
        ...['-sS', flag, '--noproxy', '*', '--cacert', authority.certFile, ...metadata, ...args, `${origin}${path}`],
      )
      return [stderr.trim(), digest(stdout)]
    }
    const fine = `200 ${version} ${version} gateway`
    expect(await curl('/app/hello')).toEqual([fine, digest('hello')])
    expect(await curl('/app/hello', '--head', '-o', '/dev/null')).toEqual([fine, digest('')])
    const post = ['-H', 'Content-Type:', '--data-binary', `@${bodyFile}`]
    expect(await curl('/app/echo', ...post)).toEqual([fine, digest(body)])
    expect(await curl('/app/echo', ...post, '--expect100-timeout', '20')).toEqual([fine, digest(body)])
    expect(await curl('/app/echo', '-H', 'Transfer-Encoding: chunked', ...post)).toEqual([fine, digest(body)])
    expect(await curl('/app/large')).toEqual([fine, digest(large)])
    expect((await curl('/nowhere'))[0]).toBe(`404 ${version}  application/problem+json`)
    // By prior knowledge curl 7.88 makes no second request on a connection, whoever serves it.
    if (flag !== '--http2-prior-knowledge') {
      const many = Array.from({ length: 20 }, () => `${origin}/app/hello`)
      const all = await run('curl', '-sSZ', flag, '--noproxy', '*', '--cacert', authority.certFile, ...many)
      expect(all.stdout.toString()).toBe('hello'.repeat(20))
    }
    const trailers = join(folder, 'headers')
    await curl('/app/echo', ...post, '--dump-header', trailers)
    expect((await readFile(trailers, 'utf8')).toLowerCase()).toContain(`x-checksum: ${digest(body)}`)
  })
})

describe('fetch', () => {
  test('of Node, HTTP/1.1', async () => {
    const { http } = await startSite(authority)
    // It keeps its connections for seconds, and the test would wait for them.
    await tryFetch(fetch, http, '1.1 gateway', { headers: { connection: 'close' } })
  })

  test.each<[keyof Site, string]>([
    ['http', '1.1 gateway'],
    ['https', '2 gateway'],
    ['https1', '1.1 gateway'],
  ])('of undici, %s', async (scheme, via) => {
    const site = await startSite(authority)
    const dispatcher = new Agent({ allowH2: true, connect: { ca: authority.cert } })
    onCleanup('clients', () => dispatcher.close())
    const fetchWith = (url: string, init = {}) => undiciFetch(url, { ...init, dispatcher })
    await tryFetch(fetchWith, site[scheme], via)
  })

  interface Answer {
    readonly status: number
    readonly headers: { get(name: string): string | null }
    arrayBuffer(): Promise<ArrayBuffer>
  }

  /** `last`: for the last request on a connection. */
  async function tryFetch(
    ask: (url: string, init?: object) => Promise<Answer>,
    origin: string,
    via: string,
    last: object = {},
  ): Promise<void> {
    const result = async (path: string, init?: object) => {
      const response = await ask(`${origin}${path}`, init)
      const sum = digest(new Uint8Array(await response.arrayBuffer()))
      return [response.status, response.headers.get('x-via'), sum]
    }
    expect(await result('/app/hello')).toEqual([200, via, digest('hello')])
    expect(await result('/app/hello', { method: 'HEAD' })).toEqual([200, via, digest('')])
    expect(await result('/app/echo', { method: 'POST', body })).toEqual([200, via, digest(body)])
    const stream = { method: 'POST', body: new Blob([body]).stream(), duplex: 'half' }
    expect(await result('/app/echo', stream)).toEqual([200, via, digest(body)])
    expect(await result('/app/large')).toEqual([200, via, digest(large)])
    const many = await Promise.all(Array.from({ length: 20 }, () => result('/app/hello', last)))
    expect(many).toEqual(Array(20).fill([200, via, digest('hello')]))
    const missing = await ask(`${origin}/nowhere`, last)
    expect([missing.status, missing.headers.get('content-type')]).toEqual([404, 'application/problem+json'])
    await missing.arrayBuffer()
  }
})

describe("Go's net/http", () => {
  needsProgram('go', 'golang-go')
  const client = join(folder, 'go-client')
  beforeAll(async () => {
    if (!isInstalled('go')) return
    await promisify(execFile)('go', ['build', '-o', client, join(import.meta.dirname, 'go-client/main.go')])
  }, 120_000)

  test.each<[keyof Site, string, string]>([
    ['http', 'HTTP/1.1', '1.1 gateway'],
    ['https', 'HTTP/2.0', '2 gateway'],
    ['https1', 'HTTP/1.1', '1.1 gateway'],
  ])('%s: %s', async (scheme, proto, via) => {
    const site = await startSite(authority)
    const { stdout } = await run(client, site[scheme], authority.certFile)
    const fine = { status: 200, proto, via, type: '', trailer: '' }
    const sum = digest(Buffer.alloc(1 << 20, '0123456789abcdef'))
    expect(JSON.parse(stdout.toString())).toEqual({
      get: { ...fine, digest: digest('hello') },
      head: { ...fine, digest: digest('') },
      post: { ...fine, digest: sum, trailer: sum },
      stream: { ...fine, digest: sum, trailer: sum },
      empty: { ...fine, digest: digest(''), trailer: digest('') },
      large: { ...fine, digest: digest(large) },
      missing: { ...fine, status: 404, via: '', type: 'application/problem+json', digest: expect.any(String) },
    })
  })
})

describe('nghttp2', () => {
  needsProgram('nghttp', 'nghttp2-client')

  test.each<keyof Site>(['http', 'https'])('nghttp, %s', async scheme => {
    const origin = (await startSite(authority))[scheme]
    const nghttp = (path: string, ...args: readonly string[]) => run('nghttp', ...args, `${origin}${path}`)
    expect((await nghttp('/app/hello')).stdout.toString()).toBe('hello')
    expect(digest((await nghttp('/app/large')).stdout)).toBe(digest(large))
    expect(digest((await nghttp('/app/echo', '-d', bodyFile)).stdout)).toBe(digest(body))
    const frames = async (...args: Parameters<typeof nghttp>) => (await nghttp(...args)).stdout.toString()
    expect(await frames('/app/echo', '-nv', '-d', bodyFile)).toContain(digest(body))
    const missing = await frames('/nowhere', '-nv')
    expect(missing).toContain('404')
    expect(missing).toContain('application/problem+json')
    expect((await nghttp('/app/hello', '-m', '50')).stdout.toString()).toBe('hello'.repeat(50))
  })

  test.each<[keyof Site, ...string[]]>([['http'], ['http', '--h1'], ['https'], ['https1', '--h1']])(
    'h2load, %s %s',
    async (scheme, ...args) => {
      const site = await startSite(authority)
      const { stdout } = await run('h2load', '-n', '400', '-c', '4', '-m', '20', ...args, `${site[scheme]}/app/hello`)
      expect(stdout.toString()).toContain('status codes: 400 2xx, 0 3xx, 0 4xx, 0 5xx')
      expect(stdout.toString()).toContain('400 succeeded, 0 failed, 0 errored, 0 timeout')
    },
  )
})
