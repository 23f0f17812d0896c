import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib'
import { defineSlot, type FieldList, GatewayError, problem, type RouteHooks } from '@gateway/core'
import { fieldChanges } from './change-fields.ts'
import { jsonChanges } from './change-json.ts'
import { compileCondition } from './condition.ts'
import { heldBody, isJson } from './held-body.ts'
import type { ResponseRules } from './options.ts'

/** How the body of an answer that is to be changed is coded. */
const coding = defineSlot<string>()('transform.coding')

type Decoder = (body: Uint8Array, options: { maxOutputLength: number }) => Uint8Array
const decoders: Readonly<Record<string, Decoder>> = {
  identity: body => body,
  gzip: gunzipSync,
  'x-gzip': gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
  zstd: zstdDecompressSync,
}

const broken = { status: 502, code: 'TRANSFORM_RESPONSE_REFUSED', title: 'Bad gateway' } as const
const error = ({ code, ...rest }: typeof broken, message: string, cause?: unknown) =>
  new GatewayError(code, message, { ...rest, source: 'upstream', cause })

/** Fields that speak of the body as the upstream sent it (RFC 9110 sections 8.8 and 14.3, RFC 9530). */
const ofTheOldBody = [
  'etag',
  'content-digest',
  'repr-digest',
  'digest',
  'content-md5',
  'accept-ranges',
  'content-encoding',
]

export function responseHooks(rules: ResponseRules, maxBodySize: number): RouteHooks {
  const holds = compileCondition(rules.when)
  const changeFields = fieldChanges(rules.headers)
  const changeBody = rules.body && jsonChanges(rules.body)
  return {
    ...(changeBody && {
      // Half a document cannot be changed, and a coded one costs twice.
      onAttempt(_ctx, { headers }) {
        for (const name of ['range', 'if-range', 'accept-encoding']) headers.delete(name)
      },
    }),
    onResponse(ctx, head) {
      if (!holds(head)) return
      if (
        changeBody !== undefined &&
        head.fromUpstream &&
        head.bodyLength !== 0 &&
        isJson(head.headers.get('content-type'))
      ) {
        const coded = codingOf(head.headers)
        if (!Object.hasOwn(decoders, coded) || head.bodyLength > maxBodySize) return problem(ctx, broken)
        ctx.set(coding, coded)
        for (const name of ofTheOldBody) head.headers.delete(name)
      }
      changeFields?.(ctx, head.headers)
    },
    ...(changeBody && {
      onResponseBody(ctx) {
        const decode = decoders[ctx.get(coding) ?? '']
        if (decode === undefined) return
        const tooLarge = () => error(broken, `the upstream's body has more than ${maxBodySize} bytes`)
        return heldBody(maxBodySize, tooLarge, body => {
          try {
            const text = new TextDecoder('utf-8', { fatal: true }).decode(
              decode(body, { maxOutputLength: maxBodySize }),
            )
            return Buffer.from(changeBody(text, ctx))
          } catch (cause) {
            throw error(broken, "the upstream's body cannot be changed", cause)
          }
        })
      },
    }),
  }
}

function codingOf(headers: FieldList): string {
  return headers.get('content-encoding')?.trim().toLowerCase() ?? 'identity'
}
