import {
  type Context,
  definePlugin,
  defineSlot,
  type FieldList,
  type ResponseHead,
  type RouteHooks,
} from '@gateway/core'
import { chooseCoding } from './accept-encoding.ts'
import { compressible } from './compressible.ts'
import { compressor } from './compressor.ts'
import { type Coding, type Options, optionsOf, optionsSchema, routeSchema } from './options.ts'

/** What the client likes best. */
const wanted = defineSlot<Coding>()('compression.wanted')
/** Of an answer that is compressed; it counts until the request is over, also where another came in its place as it is. */
const chosen = defineSlot<Coding | 'identity'>()('compression.chosen')

interface UnderWay {
  count: number
  readonly most: number
}

/**
 * Compresses answers on their way to clients that ask for it, those of upstreams and of plugins alike: after all others
 * have had their say. What is coded already, too short, no text, a part, or a stream of events passes as it is.
 */
export const compression = definePlugin({
  name: 'compression',
  // The first to see a request is the last to see its answer.
  stage: 'guard',
  options: optionsSchema,
  routeOptions: routeSchema,
  alwaysOn: true,
  setup(host, { maxConcurrent: most, ...everywhere }) {
    const underWay = host.share({ name: `compression.underWay ${most}`, create: () => ({ count: 0, most }) })
    return {
      onRoute({ options }) {
        if (options === false) return
        return hooksOf(optionsOf(typeof options === 'object' ? options : {}, everywhere), underWay)
      },
    }
  },
})

function hooksOf(options: Options, underWay: UnderWay): RouteHooks {
  const isCompressible = compressible(options.types, options.streams)
  const fits = (ctx: Context, { status, bodyLength, headers }: ResponseHead) =>
    mayHaveBody(status) &&
    (bodyLength < 0 || bodyLength >= options.minSize || (ctx.method === 'HEAD' && bodyLength === 0)) &&
    isCompressible(headers.get('content-type')) &&
    !headers.has('content-encoding') &&
    !headers.has('content-range') &&
    !noTransform(headers) &&
    !noTransform(ctx.headers)
  return {
    onRequest(ctx) {
      const coding = chooseCoding(ctx.headers.get('accept-encoding'), options.codings)
      if (coding !== undefined) ctx.set(wanted, coding)
      if (options.upstream === 'identity') ctx.headers.set('Accept-Encoding', 'identity')
    },
    onResponse(ctx, head) {
      const { headers, status } = head
      const isCounted = ctx.get(chosen) !== undefined
      if (isCounted) ctx.set(chosen, 'identity')
      if (status === 304) return weakenKnown(ctx.headers, headers)
      if (!fits(ctx, head)) return
      addVary(headers)
      const coding = ctx.get(wanted)
      if (coding === undefined || (!isCounted && underWay.count >= underWay.most)) return
      headers.set('Content-Encoding', coding)
      for (const name of ofTheBody) headers.delete(name)
      weaken(headers)
      if (ctx.method === 'HEAD') return
      if (!isCounted) underWay.count++
      ctx.set(chosen, coding)
    },
    onResponseBody(ctx, { headers, bodyLength }) {
      const coding = ctx.get(chosen)
      // Another answer may have come in its place.
      if (coding === undefined || coding === 'identity' || headers.get('content-encoding') !== coding) return
      return { stream: compressor(coding, bodyLength, options.levels) }
    },
    onFinish(ctx) {
      if (ctx.get(chosen) !== undefined) underWay.count--
    },
  }
}

/** 204 and 205 have none, 206 has a part of one that is not coded. */
const mayHaveBody = (status: number) => status >= 200 && (status < 204 || status > 206)

const noTransform = (headers: FieldList) =>
  /(?:^|[,\t ])no-transform(?:[,\t ]|$)/i.test(headers.get('cache-control') ?? '')

/** What is true of the body as it was, and of that alone (RFC 9110 section 14.3, RFC 9530). */
const ofTheBody = ['accept-ranges', 'content-digest', 'repr-digest', 'digest', 'content-md5']

function addVary(headers: FieldList): void {
  if (!/(?:^|,)[\t ]*(?:\*|accept-encoding)[\t ]*(?:,|$)/i.test(headers.get('vary') ?? '')) {
    headers.append('Vary', 'Accept-Encoding')
  }
}

/** The same content in other bytes: no longer the same by a strong validator (RFC 9110 section 8.8.3.3). */
function weaken(headers: FieldList): void {
  const etag = headers.get('etag')
  if (etag?.startsWith('"')) headers.set('ETag', `W/${etag}`)
}

/** A client that has the body from here knows it by the weak tag, and would not know it by the strong one. */
function weakenKnown(request: FieldList, headers: FieldList): void {
  const etag = headers.get('etag')
  if (etag === undefined || request.get('if-none-match')?.includes(`W/${etag}`) !== true) return
  weaken(headers)
  addVary(headers)
}
