import type { ServiceInfo, TargetInfo } from '../upstream/service-info.ts'
import { formatAge } from './format-duration.ts'
import { count } from './report.ts'

/**
 * A line for each service, and below it one for each target that is out. `workers`: what each of them tells; where they
 * differ it says in how many.
 */
export function serviceLines(workers: readonly (readonly ServiceInfo[])[], now = Date.now()): string[] {
  const byName = Map.groupBy(workers.flat(), ({ name }) => name)
  return [...byName].flatMap(([name, told]) => {
    const byUrl = Map.groupBy(
      told.flatMap(({ targets }) => targets),
      ({ url }) => url,
    )
    const targets = [...byUrl.values()]
    const facts = [
      `${count(targets.length, 'target')}${providerOf(told)}`,
      ...useOf(told, targets),
      ...inFlightOf(targets.flat()),
      ...discoveryOf(told, now),
    ]
    return [`${name}: ${facts.join(', ')}`, ...targets.flatMap(seen => outLine(seen, told.length, now))]
  })
}

function providerOf([first]: readonly ServiceInfo[]): string {
  return first?.discovery === undefined ? '' : ` of ${first.discovery.use}`
}

/** `targets`: each as the workers see it. */
function useOf(told: readonly ServiceInfo[], targets: readonly (readonly TargetInfo[])[]): string[] {
  const out = targets.filter(seen => seen.some(isOut)).length
  const unused = targets.filter(seen => !seen.some(target => target.inUse || isOut(target))).length
  const lacking = told.filter(service => !service.targets.some(({ inUse }) => inUse)).length
  return [
    ...(out > 0 ? [`${out} out`] : []),
    ...(unused > 0 ? [`${unused} unused`] : []),
    ...(lacking > 0 && targets.length > 0 ? [`none to send to${inWorkers(lacking, told.length)}`] : []),
  ]
}

const isOut = ({ out }: TargetInfo) => out !== undefined

function inFlightOf(targets: readonly TargetInfo[]): string[] {
  const inFlight = targets.reduce((sum, target) => sum + target.inFlight, 0)
  return inFlight > 0 ? [`${inFlight} in flight`] : []
}

function discoveryOf(told: readonly ServiceInfo[], now: number): string[] {
  const states = told.flatMap(({ discovery }) => discovery ?? [])
  const stale = states.filter(({ state }) => state === 'stale')
  const waiting = states.filter(({ state }) => state === 'waiting').length
  const age = formatAge(now - Math.min(...stale.map(({ since }) => since)))
  const reasons = unique(stale.map(({ reason = '' }) => reason))
  return [
    ...(stale.length > 0 ? [`stale for ${age}${inWorkers(stale.length, told.length)}: ${reasons}`] : []),
    ...(waiting > 0 ? [`which has not said anything yet${inWorkers(waiting, told.length)}`] : []),
  ]
}

/** A target, as the workers see it, if it is out in one of them. */
function outLine(seen: readonly TargetInfo[], workers: number, now: number): string[] {
  const outs = seen.flatMap(({ out }) => out ?? [])
  const [first] = seen
  if (first === undefined || outs.length === 0) return []
  const { url, priority } = first
  const weights = new Set(seen.map(({ weight }) => weight))
  const inFlight = inFlightOf(seen)
  // The last to let it in again, if all can tell.
  const until = Math.max(...outs.map(out => out.until ?? Infinity))
  const facts = [
    `out for ${formatAge(now - Math.min(...outs.map(({ since }) => since)))}${inWorkers(outs.length, workers)}`,
    ...(Number.isFinite(until) ? [`back in ${formatAge(until - now)}`] : []),
    ...(seen.some(target => target.inUse && isOut(target)) ? ['gets requests all the same'] : []),
    ...(weights.size === 1 && weights.has(1) ? [] : [`weight ${[...weights].join(' or ')}`]),
    ...(priority === 0 ? [] : [`priority ${priority}`]),
    ...inFlight,
  ]
  // What failed to connect names the target, too.
  const reasons = unique(outs.flatMap(out => out.reasons)).replaceAll(`${url}: `, '')
  return [`  ${url}  ${facts.join(', ')}: ${reasons}`]
}

const inWorkers = (some: number, all: number) => (some === all ? '' : ` in ${some} of ${all} workers`)
const unique = (texts: readonly string[]) => [...new Set(texts)].join('; ')
