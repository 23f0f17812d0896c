import { cache } from '@gateway/cache'
import { vi } from 'vitest'
import { type LooseConfig, proxyTo, startGateway } from '../../../test/support/gateway.ts'
import { lineValue, type Message } from '../../../test/support/message.ts'
import { recordingBackend } from '../../../test/support/upstream.ts'
import { exchange, responseText } from '../../../test/support/wire.ts'

type Answer = { readonly status?: number; readonly lines?: readonly string[]; readonly body?: string }

/** An upstream that answers with the number of the request, confirms its ETag, and a gateway that caches it. */
export async function startCache(
  answer: readonly string[] | ((request: Message, number: number) => Answer),
  { cache: route = true, options = {}, plugins = [], ...more }: LooseConfig = {},
) {
  let number = 0
  const backend = await recordingBackend(request => {
    const {
      status = 200,
      lines = [],
      body = `#${++number}`,
    } = typeof answer === 'function' ? answer(request, number + 1) : { lines: answer }
    const etag = lineValue(lines, 'etag')
    const isKnown = etag !== undefined && lineValue(request.lines, 'if-none-match') === etag
    return isKnown
      ? `HTTP/1.1 304 Any\r\n${lines.map(line => `${line}\r\n`).join('')}\r\n`
      : responseText(status, lines, body)
  })
  const running = await startGateway(
    proxyTo(backend.origin, {
      plugins: [...(plugins as []), cache(options as object)],
      route: { cache: route, ...more },
    }),
  )
  const ask = (request = 'GET /', lines: readonly string[] = []) => exchange(running.port, request, lines)
  /** Status, body, and what Cache-Status says of this cache. */
  const tell = async (request?: string, lines?: readonly string[]) => shown(await ask(request, lines))
  return { ...running, backend, ask, tell }
}

export function shown({ status, body, lines }: Message): string {
  const said = lineValue(lines, 'cache-status')?.replace(/^gateway; /, '') ?? '-'
  return `${status} ${body.startsWith('{') ? JSON.parse(body).code : body || '-'} ${said}`
}

/** Time stands still until {@link pass}; sockets and timers have their own. */
export const stopTime = () => void vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 0, 1) })
export const pass = (seconds: number) => void vi.setSystemTime(Date.now() + seconds * 1000)
export const httpDate = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toUTCString()
