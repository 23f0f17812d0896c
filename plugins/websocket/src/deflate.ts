import { type Context, type FieldList, GatewayError } from '@gateway/core'
import { extension, PerMessageDeflate } from 'ws'
import type {} from './ws-parts.ts'

const { extensionName } = PerMessageDeflate
const field = 'Sec-WebSocket-Extensions'

/** What was agreed on with each side. */
export interface Deflate {
  readonly client: PerMessageDeflate | undefined
  readonly upstream: PerMessageDeflate | undefined
}

// Without a context kept between messages a connection that is silent holds no zlib window.
const noContext = { serverNoContextTakeover: true, clientNoContextTakeover: true } as const

/** Puts our own offer in place of the client's: extensions are a matter between the ends of one connection. */
export function offerUpstream(headers: FieldList, wanted: boolean, maxPayload: number): void {
  if (wanted) {
    const offer = new PerMessageDeflate({ isServer: false, maxPayload, ...noContext }).offer()
    headers.set(field, extension.format({ [extensionName]: offer }))
  } else {
    headers.delete(field)
  }
}

/**
 * Reads what the upstream made of our offer, and answers the client's.
 *
 * @throws GatewayError GATEWAY_UPSTREAM_INVALID for an extension that was not offered.
 */
export function agree(
  asked: Context['headers'],
  answer: FieldList,
  wanted: { readonly client: boolean; readonly upstream: boolean },
  maxPayload: number,
): Deflate {
  const upstream = acceptAnswer(answer.get(field), wanted.upstream, maxPayload)
  answer.delete(field)
  const client = wanted.client ? acceptOffer(asked.get(field), maxPayload) : undefined
  if (client !== undefined) answer.set(field, extension.format({ [extensionName]: client.params }))
  return { upstream, client: client?.deflate }
}

function acceptAnswer(header: string | undefined, wanted: boolean, maxPayload: number): PerMessageDeflate | undefined {
  if (header === undefined || header === '') return undefined
  try {
    const { [extensionName]: params, ...others } = extension.parse(header)
    if (!wanted || params === undefined || Object.keys(others).length > 0) throw new TypeError('not offered')
    const deflate = new PerMessageDeflate({ isServer: false, maxPayload, ...noContext })
    deflate.accept(params)
    return deflate
  } catch (cause) {
    throw new GatewayError('GATEWAY_UPSTREAM_INVALID', `the upstream's extensions ${JSON.stringify(header)}`, { cause })
  }
}

/** None, where there is no offer that will do: the connection is good without. */
function acceptOffer(header: string | undefined, maxPayload: number) {
  if (header === undefined) return undefined
  try {
    const offers = extension.parse(header)[extensionName]
    if (offers === undefined) return undefined
    const deflate = new PerMessageDeflate({ isServer: true, maxPayload, ...noContext })
    return { deflate, params: deflate.accept(offers) }
  } catch {
    return undefined
  }
}
