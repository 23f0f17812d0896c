import { setTimeout as sleep } from 'node:timers/promises'
import type { Host, ServiceView, Target, TargetAnswer } from '@gateway/core'
import { healthCheck, healthFault } from './grpc-health.ts'
import type { ServiceOptions } from './options.ts'

/** What probes have found of a target, kept over reloads. */
interface Verdict {
  isDown: boolean
  /** Probes in a row that speak against it. */
  against: number
  /** What was wrong with it when it was found down. */
  fault: string | undefined
}

type Verdicts = Map<string, Verdict>

/** Between workers: what the one that probes has found, or a wish to hear all of it. */
type News = { readonly url: string; readonly isDown: boolean; readonly fault: string | undefined } | 'tell me'

/**
 * Probes every target of a service, each at a moment of its own in the interval, and holds out those that are down. Of
 * several workers the first probes and tells the others.
 */
export function startProbes(host: Host, service: ServiceView<unknown>, options: ServiceOptions): void {
  const { interval } = options
  const verdicts = host.share<Verdicts>({ name: `health.verdicts ${service.name}`, create: () => new Map() })
  const held = new Map<string, () => void>()
  const probes = host.worker.index === 0
  const stop = new AbortController()
  const { signal } = stop
  host.defer(() => stop.abort())
  const others = host.channel<News>(`verdicts ${service.name}`, news => {
    if (news === 'tell me') {
      if (probes) for (const [url, { isDown, fault }] of verdicts) others.post({ url, isDown, fault })
    } else if (!probes) {
      verdicts.set(news.url, { isDown: news.isDown, against: 0, fault: news.fault })
      apply()
    }
  })

  /** Also after a reload, and for targets that discovery brought or that were edited. */
  function apply(): void {
    for (const target of service.targets) {
      const { isDown = false, fault } = verdicts.get(target.url) ?? {}
      // One that went and came back is another target, which nobody holds.
      const isHeld = held.has(target.url) && !target.available
      if (isDown && !isHeld) held.set(target.url, service.holdOut(target, `its probes fail: ${fault}`))
      if (isDown) continue
      held.get(target.url)?.()
      held.delete(target.url)
    }
  }

  function judge({ url }: Target, fault: string | undefined): void {
    const verdict = verdicts.get(url) ?? { isDown: false, against: 0, fault: undefined }
    verdicts.set(url, verdict)
    verdict.against = verdict.isDown === (fault === undefined) ? verdict.against + 1 : 0
    if (verdict.against < (verdict.isDown ? options.healthyAfter : options.unhealthyAfter)) return
    verdict.isDown = !verdict.isDown
    verdict.against = 0
    verdict.fault = fault
    const fields = { service: service.name, target: url }
    if (verdict.isDown) host.log.warn('a target is down', { ...fields, reason: fault })
    else host.log.info('a target is up again', fields)
    others.post({ url, isDown: verdict.isDown, fault })
    apply()
  }

  async function probe(target: Target): Promise<void> {
    const fault = await tryOnce(service, target, options, signal).catch(reasonOf)
    if (!signal.aborted) judge(target, fault)
  }

  async function probeLater(target: Target, withinMs: number): Promise<void> {
    const waited = await sleep(Math.random() * withinMs, true, { signal, ref: false }).catch(() => false)
    if (waited) await probe(target)
  }

  async function round(withinMs: number): Promise<void> {
    const { targets } = service
    apply()
    if (!probes) return
    const urls = new Set(targets.map(({ url }) => url))
    for (const url of verdicts.keys()) if (!urls.has(url)) verdicts.delete(url)
    await Promise.all(targets.map(target => probeLater(target, withinMs)))
  }

  if (!probes) others.post('tell me')
  // In the first half of an interval, so that two probes of a target are never more than one and a half apart.
  host.clock.every(interval, () => round(interval / 2))
  void round(Math.min(interval / 2, 1_000))
}

/** What is wrong with a target; rejects when it cannot be asked. */
async function tryOnce(
  service: ServiceView<unknown>,
  target: Target,
  options: ServiceOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { timeout: timeoutMs, path, headers, grpc } = options
  if (path !== undefined) return faultOf(await service.ask(target, { path, headers, timeoutMs, signal }), options)
  if (grpc !== undefined) {
    const check = healthCheck(grpc === true ? '' : grpc, timeoutMs, headers)
    return healthFault(await service.ask(target, { ...check, signal }))
  }
  await service.connect(target, timeoutMs, signal)
  return undefined
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** What is wrong with an answer. */
export function faultOf(
  { status, body }: Pick<TargetAnswer, 'status' | 'body'>,
  options: Pick<ServiceOptions, 'status' | 'body'>,
) {
  const { status: wanted, body: text } = options
  if (wanted === undefined ? status < 200 || status > 399 : !wanted.includes(status)) return `it answered ${status}`
  if (text !== undefined && !body.includes(text)) return 'its answer does not hold the text that is expected'
  return undefined
}
