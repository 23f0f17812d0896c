import type { ServiceView } from '@gateway/core'

/** Since when targets have been warming up, in milliseconds since the epoch, by URL; 0: they are warm. */
export type Warmth = Map<string, number>

/** What a target gets of its weight when it starts. */
const least = 0.1

/**
 * Gives targets that were added or came back their weight bit by bit, in a straight line over `window` milliseconds. To be
 * called every now and then. Those of the very first list are warm: somebody has to be.
 */
export function warmUp(service: ServiceView<unknown>, warmth: Warmth, window: number, now: number): void {
  const { targets } = service
  const isFirst = warmth.size === 0
  const urls = new Set<string>()
  for (const target of targets) {
    const { url, available } = target
    urls.add(url)
    if (!available) {
      // It will have to start over.
      warmth.set(url, Number.POSITIVE_INFINITY)
      continue
    }
    let since = warmth.get(url) ?? (isFirst ? 0 : now)
    if (since === Number.POSITIVE_INFINITY) since = now
    const part = since === 0 ? 1 : Math.min(1, Math.max(least, (now - since) / window))
    warmth.set(url, part === 1 ? 0 : since)
    service.scaleWeight(target, part)
  }
  for (const url of warmth.keys()) if (!urls.has(url)) warmth.delete(url)
}
