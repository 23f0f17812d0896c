/**
 * 32 bits of a text: FNV-1a over its UTF-16 units, then the finaliser of MurmurHash3, since FNV alone leaves texts that
 * differ in their last letter close together. Not seeded: every worker and every gateway must find the same target.
 */
export function hash32(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return mix32(hash)
}

/** The finaliser alone: every bit of the input changes half of the output's. */
export function mix32(value: number): number {
  let hash = value | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
