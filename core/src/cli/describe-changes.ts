import type { Difference, ModelChanges } from '../plan/compare-models.ts'
import { count } from './report.ts'

/** `+2 routes (a, b), ~1 route (c), service users kept`: what a reload changed, and which services' state it kept. */
export function describeChanges(changes: ModelChanges): string {
  const parts = (['route', 'service', 'plugin', 'listener'] as const).flatMap(noun => {
    const { added, changed, removed } = changes[`${noun}s`]
    const names = changed.map(({ name }) => name)
    return [part('+', added, noun), part('~', names, noun), part('-', removed, noun)]
  })
  const { settings, services, pluginOrder } = changes
  const named = new Set(settings.map(({ path: [key = ''] }) => `~${key}`))
  parts.push(...named, pluginOrder === null ? '' : '~order of plugins')
  const said = parts.filter(text => text !== '')
  if (said.length === 0) return 'nothing that it serves is different'
  return [...said, ...keptOf(services)].join(', ')
}

function part(sign: string, names: readonly string[], noun: string): string {
  if (names.length === 0) return ''
  // More names than this are no longer one line.
  const list = names.length > 3 ? '' : ` (${names.join(', ')})`
  return `${sign}${count(names.length, noun)}${list}`
}

function keptOf({ kept }: Difference): string[] {
  if (kept.length === 0) return []
  return [kept.length === 1 ? `service ${kept[0]} kept` : `${kept.length} services kept`]
}
