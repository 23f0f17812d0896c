/** Messages up to this long are cut at every byte. */
const short = 56
/** Of longer ones this many places are taken, chosen by the seed. */
const chosen = 12

/** Where to cut a message, one way after another: nowhere, everywhere (when short), and in two at single places. */
export function* placesToCut(length: number, seed: number): Generator<readonly number[]> {
  const everywhere = Array.from({ length: Math.max(0, length - 1) }, (_, index) => index + 1)
  yield []
  if (length <= 400) yield everywhere
  if (length <= short) {
    for (const place of everywhere) yield [place]
    return
  }
  const random = randomFrom(seed + length)
  for (let count = 0; count < chosen; count++) yield [1 + Math.trunc(random() * (length - 1))]
}

/** Numbers from 0 to 1, the same for the same seed (Park and Miller's minimal standard generator). */
export function randomFrom(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return (state - 1) / 2_147_483_646
  }
}
