/** Where {@link halfSipHash} leaves its 64 bits: an object for each call would be the dearest part of it. */
export const digest = { low: 0, high: 0 }

/**
 * HalfSipHash-2-4 with 64 bits of output (Aumasson, Bernstein: SipHash, the variant for 32-bit machines), over the UTF-16
 * code units of a text, each as two bytes. With a secret key nobody can choose texts that meet in one place of a table.
 */
export function halfSipHash(key0: number, key1: number, text: string): void {
  let v0 = key0
  let v1 = key1 ^ 0xee
  let v2 = 0x6c796765 ^ key0
  let v3 = 0x74656462 ^ key1

  const { length } = text
  const pairs = length >> 1
  // Two rounds a word of two units, the last word with the length, then four rounds for each half of the output.
  for (let word = 0; word <= pairs + 2; word++) {
    let mixed = 0
    let rounds = 4
    if (word <= pairs) {
      const at = word << 1
      mixed =
        word < pairs
          ? text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16)
          : (length << 25) | (at < length ? text.charCodeAt(at) : 0)
      v3 ^= mixed
      rounds = 2
    } else if (word === pairs + 1) v2 ^= 0xee
    else v1 ^= 0xdd

    for (let round = 0; round < rounds; round++) {
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
    }

    if (word <= pairs) v0 ^= mixed
    else if (word === pairs + 1) digest.low = v1 ^ v3
    else digest.high = v1 ^ v3
  }
}
