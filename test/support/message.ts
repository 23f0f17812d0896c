/** An HTTP/1.1 message as it stood on the wire, for tests: lenient, and it keeps every byte. */
export interface Message {
  /** Request line or status line. */
  readonly start: string
  /** Of a response, else 0. */
  readonly status: number
  /** Of a request, else empty. */
  readonly method: string
  readonly target: string
  /** `Name: value`, in order. */
  readonly lines: readonly string[]
  /** Latin1. */
  readonly body: string
  readonly trailers: readonly string[]
  /** False when the connection ended before the message did. */
  readonly complete: boolean
  /** How the body was framed. */
  readonly framing: 'none' | 'length' | 'chunked' | 'close'
  /** The head as it came, with its empty line. */
  readonly head: string
}

/** Where a message's bytes come from. Each gives undefined when the connection ended before. */
export interface ByteSource {
  through(end: string): Promise<string | undefined>
  exactly(count: number): Promise<string | undefined>
  /** What is left when the connection has ended. */
  rest(): Promise<string>
}

type Body = Pick<Message, 'body' | 'trailers' | 'complete' | 'framing'>

/** @returns undefined when the connection ended before the first byte of a head. */
export async function readMessage(from: ByteSource, requestMethod = 'GET'): Promise<Message | undefined> {
  const head = await from.through('\r\n\r\n')
  if (head === undefined) return undefined
  const [start = '', ...lines] = head.slice(0, -4).split('\r\n')
  const isResponse = start.startsWith('HTTP/')
  const words = start.split(' ')
  const status = isResponse ? Number(words[1]) : 0
  const [method = '', target = ''] = isResponse ? [] : words
  const bodiless = isResponse && (status < 200 || status === 204 || status === 304 || requestMethod === 'HEAD')
  const body = bodiless ? noBody : await readBody(from, lines, isResponse)
  return { start, status, method, target, lines, head, ...body }
}

const noBody: Body = { body: '', trailers: [], complete: true, framing: 'none' }

async function readBody(from: ByteSource, lines: readonly string[], isResponse: boolean): Promise<Body> {
  if (lineValue(lines, 'transfer-encoding') === 'chunked') return readChunks(from)
  const length = lineValue(lines, 'content-length')
  if (length !== undefined) {
    const body = await from.exactly(Number(length))
    return { body: body ?? (await from.rest()), trailers: [], complete: body !== undefined, framing: 'length' }
  }
  if (!isResponse) return noBody
  return { body: await from.rest(), trailers: [], complete: true, framing: 'close' }
}

async function readChunks(from: ByteSource): Promise<Body> {
  let body = ''
  const cut = async (): Promise<Body> => {
    return { body: body + (await from.rest()), trailers: [], complete: false, framing: 'chunked' }
  }
  for (;;) {
    const size = Number.parseInt((await from.through('\r\n')) ?? 'none', 16)
    if (Number.isNaN(size)) return cut()
    if (size === 0) break
    const chunk = await from.exactly(size + 2)
    if (chunk === undefined) return cut()
    body += chunk.slice(0, -2)
  }
  const trailers: string[] = []
  for (;;) {
    const line = await from.through('\r\n')
    if (line === undefined) return cut()
    if (line === '\r\n') return { body, trailers, complete: true, framing: 'chunked' }
    trailers.push(line.slice(0, -2))
  }
}

/** Values of each line of that name, whatever its case. */
export function lineValues(lines: readonly string[], name: string): string[] {
  const prefix = `${name.toLowerCase()}:`
  return lines.filter(line => line.toLowerCase().startsWith(prefix)).map(line => line.slice(prefix.length).trim())
}

/** The one value of that name; undefined when there is none. Throws when there are several. */
export function lineValue(lines: readonly string[], name: string): string | undefined {
  const [value, ...more] = lineValues(lines, name)
  if (more.length > 0) throw new Error(`${name} stands ${more.length + 1} times`)
  return value
}

/** The lines but those of the given names. */
export function without(lines: readonly string[], ...names: readonly string[]): string[] {
  const prefixes = names.map(name => `${name.toLowerCase()}:`)
  return lines.filter(line => !prefixes.some(prefix => line.toLowerCase().startsWith(prefix)))
}
