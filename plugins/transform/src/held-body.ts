import type { BodyFilter, GatewayError } from '@gateway/core'

/**
 * Holds a body back until it is whole, and passes on what `finish` makes of it. `tooLarge` ends the message as soon as it has
 * more than `limit` bytes: nothing beyond the limit is kept.
 */
export function heldBody(
  limit: number,
  tooLarge: () => GatewayError,
  finish: (body: Uint8Array) => Uint8Array,
): BodyFilter {
  const chunks: Uint8Array[] = []
  let bytes = 0
  return {
    push(chunk) {
      bytes += chunk.byteLength
      if (bytes > limit) throw tooLarge()
      chunks.push(chunk)
      return undefined
    },
    end: () => finish(Buffer.concat(chunks)),
  }
}

/** RFC 8259 and the `+json` of RFC 6839. */
export function isJson(contentType: string | undefined): boolean {
  return contentType !== undefined && /^\s*application\/(?:[a-z0-9!#$&^_.-]+\+)?json\s*(?:;|$)/i.test(contentType)
}
