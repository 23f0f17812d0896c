import type { Agent, Dispatcher } from 'undici'

export interface Tls {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** Default: the host that is asked. */
  readonly serverName?: string | undefined
  /** Default true. */
  readonly verify?: boolean
}

/** An answer other than 200. */
export class AnswerError extends Error {
  readonly status: number
  /** Milliseconds for which it is not to be asked; 0 when it did not say. */
  readonly retryAfter: number

  constructor(status: number, text: string, retryAfter: number) {
    super(`it answered ${status}${text === '' ? '' : `: ${text}`}`)
    this.status = status
    this.retryAfter = retryAfter
  }
}

export interface Call {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/** The HTTP API of a registry: GETs, over connections of its own. */
export interface HttpApi {
  /** @throws AnswerError when the answer is not 200. */
  get(call: Call): Promise<Dispatcher.ResponseData>
  close(): Promise<void>
}

/** For an answer that is read as a whole, in bytes. */
const maxBytes = 64 * 1024 ** 2
/** Of what an answer other than 200 says. */
const maxReason = 200

/** HTTP/1.1, since a call that is given up then gives up its connection, and with it whatever the server did for it. */
export async function createHttpApi({ ca, cert, key, serverName, verify = true }: Tls): Promise<HttpApi> {
  // Only for whoever uses it.
  const { Agent, request } = await import('undici')
  const agent: Agent = new Agent({
    allowH2: false,
    // Whoever asks says how long. A connection that died meanwhile is noticed by TCP's keep-alive, within two minutes.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: {
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(serverName !== undefined && { servername: serverName }),
      rejectUnauthorized: verify,
    },
  })
  return {
    async get({ url, headers, signal }) {
      const answer = await request(url, { dispatcher: agent, headers, signal })
      if (answer.statusCode === 200) return answer
      const text = await readText(answer.body, 64 * 1024)
      throw new AnswerError(answer.statusCode, reasonIn(text), retryAfterOf(answer.headers['retry-after']))
    },
    close: () => agent.destroy(),
  }
}

/** @throws when it is no JSON, or more than 64 MiB. */
export async function readJson(body: AsyncIterable<Buffer>): Promise<unknown> {
  return JSON.parse(await readText(body, maxBytes))
}

async function readText(body: AsyncIterable<Buffer>, limit: number): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > limit) throw new Error(`what it answers has more than ${limit} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/** Kubernetes says why in a Status, Consul in a line of text. */
function reasonIn(text: string): string {
  let reason: unknown
  try {
    reason = Reflect.get(Object(JSON.parse(text)), 'message')
  } catch {}
  return (typeof reason === 'string' ? reason : text).trim().slice(0, maxReason)
}

/** RFC 9110, section 10.2.3; the form with a date counts as none. */
function retryAfterOf(field: string | string[] | undefined): number {
  return typeof field === 'string' && /^\d{1,6}$/.test(field) ? Number(field) * 1_000 : 0
}

/** Ends the task's signal, with a reason, when it takes longer or when the other one ends. */
export async function within<T>(
  ms: number,
  signal: AbortSignal,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(new Error(`no answer within ${ms} ms`)), ms)
  try {
    return await task(AbortSignal.any([signal, late.signal]))
  } finally {
    clearTimeout(timer)
  }
}
