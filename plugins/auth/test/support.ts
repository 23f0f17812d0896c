import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { auth } from '@gateway/auth'
import type { Context, Shared } from '@gateway/core'
import { SignJWT } from 'jose'
import { makeFolder } from '../../../test/support/folder.ts'
import { proxyTo, type RunningGateway, startGateway } from '../../../test/support/gateway.ts'
import { type RecordingLog, recordingLog } from '../../../test/support/log.ts'
import { lineValues, type Message } from '../../../test/support/message.ts'
import { type RecordingBackend, recordingBackend, startUpstream } from '../../../test/support/upstream.ts'
import { exchange } from '../../../test/support/wire.ts'
import { jwtMethod } from '../src/jwt/method.ts'
import { issuerSchema } from '../src/options-jwt.ts'
import { type MethodHost, Refusal, type Verdict } from '../src/verdict.ts'

export type AuthInput = NonNullable<Parameters<typeof auth>[0]>
type IssuerInput = Parameters<typeof issuerSchema.parse>[0]

export interface Pair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  readonly pem: string
  jwk(kid?: string): Record<string, unknown>
}

function pairOf({ privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject }): Pair {
  return {
    privateKey,
    publicKey,
    pem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    jwk: kid => ({ ...publicKey.export({ format: 'jwk' }), ...(kid !== undefined && { kid }) }),
  }
}

export const rsaPair = (bits = 2048): Pair => pairOf(generateKeyPairSync('rsa', { modulusLength: bits }))
export const ecPair = (namedCurve = 'P-256'): Pair => pairOf(generateKeyPairSync('ec', { namedCurve }))
export const edPair = (): Pair => pairOf(generateKeyPairSync('ed25519'))

/** A token that lasts an hour, unless its claims say otherwise. */
export function sign(
  key: KeyObject | Uint8Array,
  alg: string,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + 3600
  return new SignJWT({ sub: 'alice', exp, ...claims }).setProtectedHeader({ alg, ...header }).sign(key)
}

/** base64url of text, or of what is JSON of a value. */
export const b64 = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

export interface FakeHost extends MethodHost {
  readonly log: RecordingLog
  /** What runs every second. */
  tick(): Promise<void>
}

/** A host with a clock of the test's own. */
export function fakeHost(now: () => number = Date.now): FakeHost {
  const tasks: (() => unknown)[] = []
  const shared = new Map<string, unknown>()
  return {
    log: recordingLog(),
    clock: { now, monotonic: now, every: (_ms, task) => void tasks.push(task), after: () => () => {} },
    share<T>({ name, create }: Shared<T>): T {
      if (!shared.has(name)) shared.set(name, create())
      return shared.get(name) as T
    },
    async tick() {
      for (const task of tasks) await task()
    },
  }
}

export interface Verifier {
  readonly host: FakeHost
  /** The id, or the status and the reason. */
  (token: string): Promise<string>
  /** It answers at once. */
  remembers(token: string): boolean
}

/** What becomes of a token, below HTTP. */
export function verifier(options: IssuerInput, now?: () => number): Verifier {
  const host = fakeHost(now)
  const places = { header: 'Authorization', scheme: 'Bearer' }
  const bearer = { places, maxSize: 8192, jwtOnly: false, jwtToo: true }
  const method = jwtMethod(host, [issuerSchema.parse(options)], bearer)
  // Nothing of a request is looked at but the token.
  const verdict = (token: string) => method.verify(token, {} as Context)
  const verify = async (token: string) => said(await verdict(token))
  return Object.assign(verify, { host, remembers: (token: string) => !(verdict(token) instanceof Promise) })
}

export const said = (verdict: Verdict): string =>
  verdict instanceof Refusal ? `${verdict.status} ${verdict.reason}` : verdict.id

export interface Running extends RunningGateway {
  readonly backend: RecordingBackend
  /** Status and problem code of a request; `200` alone when it reached the backend. */
  ask(lines?: readonly string[], request?: string): Promise<string>
  send(lines?: readonly string[], request?: string): Promise<Message>
}

/** A gateway with the plugin in front of a backend that answers everything. */
export async function start(options: AuthInput, route: object = {}, more: object = {}): Promise<Running> {
  const backend = await recordingBackend()
  const running = await startGateway(proxyTo(backend.origin, { plugins: [auth(options)], route, ...more }))
  const send = (lines: readonly string[] = [], request = 'GET /') => exchange(running.port, request, lines)
  const ask = async (lines?: readonly string[], request?: string) => outcome(await send(lines, request))
  return { ...running, backend, ask, send }
}

function outcome({ status, body }: Message): string {
  const code = body.startsWith('{') ? (JSON.parse(body) as { code: string }).code : ''
  return `${status} ${code}`.trim()
}

export const challenges = (message: Message): string[] => lineValues(message.lines, 'www-authenticate')

export interface Service {
  readonly url: string
  /** Requests so far. */
  readonly count: number
  answer: RequestListener
}

/** An HTTP service whose answer can be changed. */
export async function service(answer: RequestListener): Promise<Service> {
  let count = 0
  const it = { answer }
  const { origin } = await startUpstream((request: IncomingMessage, response: ServerResponse) => {
    count++
    it.answer(request, response)
  })
  return Object.defineProperties(it as Service, { url: { value: `${origin}/it` }, count: { get: () => count } })
}

export const json =
  (value: unknown, status = 200): RequestListener =>
  (_request, response) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))

/** A file in a folder that is removed after the test. */
export function tempFile(text: string, name = 'it.json'): string {
  const folder = makeFolder()
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}
