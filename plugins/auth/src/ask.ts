export interface Question {
  readonly url: string
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Milliseconds for all of it, the body included. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

const maxBytes = 1024 ** 2

/**
 * One request of the gateway's own, to a service that it trusts as far as this: a time limit, 1 MB, no redirect followed.
 *
 * @throws Error whose message tells an operator what went wrong and where, without the query, which may hold secrets
 */
export async function ask({ url, method = 'GET', headers = {}, body, timeoutMs, signal }: Question): Promise<Answer> {
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    const response = await fetch(url, {
      method,
      headers,
      redirect: 'manual',
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
      ...(body !== undefined && { body }),
    })
    return { status: response.status, headers: response.headers, body: await readText(response) }
  } catch (error) {
    const reason = timeout.aborted ? `no answer within ${timeoutMs} ms` : reasonOf(error)
    throw new Error(`${placeOf(url)}: ${reason}`, { cause: error })
  }
}

/** {@link ask} for a JSON object in an answer of status 200. */
export async function askJson(question: Question): Promise<Readonly<Record<string, unknown>>> {
  const { status, body } = await ask({ ...question, headers: { accept: 'application/json', ...question.headers } })
  const place = placeOf(question.url)
  if (status !== 200) {
    throw new Error(
      `${place}: answered ${status}${status >= 300 && status < 400 ? ', redirects are not followed' : ''}`,
    )
  }
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    throw new Error(`${place}: the answer is not JSON`)
  }
  if (!isRecord(value)) throw new Error(`${place}: the answer is not a JSON object`)
  return value
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Counted as it comes: a length that is announced may be a lie, and a compressed body grows. */
async function readText(response: Response): Promise<string> {
  if (response.body === null) return ''
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) throw new Error(`the answer has more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/** For logs and messages: without the query, which may hold secrets. */
export function placeOf(url: string): string {
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname}`
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // Fetch says "fetch failed" of everything, and the reason in its cause.
  const { cause } = error
  if (!(cause instanceof Error)) return error.message
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message
}
