import type { Host, ServiceView, Target } from '@gateway/core'

const hour = 3_600_000
const day = 24 * hour

/** When which target was last told of, by URL, in milliseconds since the epoch. */
type Told = Map<string, number>

/**
 * Looks at the targets' certificates when the service is set up and every hour, and tells of those that end within
 * `expiresIn` milliseconds, once a day each. With one that has ended no connection comes about: probes tell, and hold it
 * out.
 */
export function watchCertificates(
  host: Host,
  service: ServiceView<unknown>,
  { expiresIn, timeoutMs }: { readonly expiresIn: number; readonly timeoutMs: number },
): void {
  // It is the same certificate for all workers.
  if (host.worker.index !== 0) return
  const told = host.share<Told>({ name: `health.certificates ${service.name}`, create: () => new Map() })
  const stop = new AbortController()
  host.defer(() => stop.abort())

  async function look(target: Target): Promise<void> {
    const { certificateEnds } = await service.connect(target, timeoutMs, stop.signal)
    const left = certificateEnds === undefined ? Infinity : certificateEnds.getTime() - host.clock.now()
    if (left > expiresIn) {
      told.delete(target.url)
      return
    }
    if (host.clock.now() - (told.get(target.url) ?? 0) < day) return
    told.set(target.url, host.clock.now())
    const fields = { service: service.name, target: target.url, ends: certificateEnds, days: Math.floor(left / day) }
    host.log.warn("a target's certificate ends soon", fields)
  }

  async function lookAtAll(): Promise<void> {
    const { targets } = service
    const urls = new Set(targets.map(({ url }) => url))
    for (const url of told.keys()) if (!urls.has(url)) told.delete(url)
    // Why a target cannot be connected to is what probes tell.
    await Promise.allSettled(targets.map(look))
  }

  host.clock.every(hour, lookAtAll)
  // Not at once: `check` sets plugins up as well, and connects to nobody.
  host.defer(host.clock.after(100, () => void lookAtAll()))
}
