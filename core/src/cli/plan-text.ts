import { styleText } from 'node:util'
import type { Entry, Json, SerialisedModel } from '../control/serialise-model.ts'
import type { Change, Difference } from '../plan/compare-models.ts'
import type { Decision } from '../plan/decide.ts'
import type { ServiceFate } from '../plan/plan-reload.ts'
import type { ReplayGroup } from '../plan/replay.ts'
import { formatDuration } from './format-duration.ts'
import type { PlanOutput, ReplayOutput } from './plan-output.ts'
import { count, shortName } from './report.ts'
import { columns } from './rows.ts'

/** For people; in colour where the output is a terminal that wants it (NO_COLOR). */
export function planText(
  plan: PlanOutput,
  before: SerialisedModel,
  after: SerialisedModel,
  stream: NodeJS.WriteStream,
): string {
  const blocks = [
    `${sourceText(plan.before)} → ${shortName(plan.after.file)}\n`,
    ...(plan.differs ? planBlocks(plan, before, after, stream) : ['Nothing changes.\n']),
    ...(plan.replay === undefined ? [] : replayBlocks(plan.replay)),
  ]
  return blocks.filter(block => block !== '').join('\n')
}

const sourceText = ({ file, pid }: PlanOutput['before']) =>
  pid === undefined ? shortName(file) : `process ${pid} (${shortName(file)})`

const colours = { '+': 'green', '-': 'red', '~': 'yellow', '=': 'dim' } as const
type Sign = keyof typeof colours

/** A part that changes; `below` stands under it, indented. */
interface Item {
  readonly sign: Sign
  readonly cells: readonly string[]
  readonly below: readonly string[]
}

function planBlocks(
  plan: PlanOutput,
  before: SerialisedModel,
  after: SerialisedModel,
  stream: NodeJS.WriteStream,
): string[] {
  const { settings, listeners, plugins, pluginOrder, services, routes, serviceFates, connections } = plan
  const paint = (sign: Sign) => styleText(colours[sign], sign, { stream })
  const block = (title: string, items: readonly Item[]) => {
    const lines = columns(items.map(({ cells }) => cells))
    const text = items.map(({ sign, below }, i) => {
      return [`  ${paint(sign)} ${lines[i]}`, ...below.map(line => `      ${line}`)].map(line => `${line}\n`).join('')
    })
    return text.length === 0 ? '' : `${title}\n${text.join('')}`
  }
  const pluginWord = (name: string) => String((after.plugins[name] ?? before.plugins[name])?.stage)
  return [
    block(
      'settings',
      settings.map((change): Item => ({ sign: '~', cells: [changeText(change)], below: [] })),
    ),
    block('listeners', itemsOf(listeners, { '+': () => 'opened', '-': () => 'closed', '~': listenerWord })),
    block('plugins', [
      ...itemsOf(plugins, { '+': pluginWord, '-': pluginWord }),
      ...(pluginOrder === null ? [] : [orderItem(pluginOrder)]),
    ]),
    block('services', serviceItems(services, serviceFates, before, after)),
    block('routes', itemsOf(routes, { '+': name => routeText(after, name), '-': name => routeText(before, name) })),
    `${keptText(plan)}\n`,
    connections.length === 0
      ? 'No connection is closed.\n'
      : `connections\n${columns(connections.map(({ of, at, effect }) => [`  ${of}`, at, effect]))
          .map(line => `${line}\n`)
          .join('')}`,
  ]

  function listenerWord(name: string): string {
    const keys = listeners.changed.find(other => other.name === name)?.changes.map(({ path: [key] }) => key) ?? []
    return keys.includes('tls') ? 'open connections keep their certificate' : 'no connection is closed'
  }
}

type Words = { readonly [S in '+' | '-' | '~']?: (name: string) => string }

function itemsOf({ added, removed, changed }: Difference, words: Words): Item[] {
  const item = (sign: '+' | '-' | '~', name: string, below: readonly string[] = []): Item => {
    return { sign, cells: [name, words[sign]?.(name) ?? ''], below }
  }
  return [
    ...added.map(name => item('+', name)),
    ...removed.map(name => item('-', name)),
    ...changed.map(({ name, changes }) => item('~', name, changes.map(changeText))),
  ]
}

function orderItem({ before, after }: NonNullable<PlanOutput['pluginOrder']>): Item {
  return { sign: '~', cells: ['order'], below: [`${before.join(', ')} → ${after.join(', ')}`] }
}

function serviceItems(
  services: Difference,
  fates: readonly ServiceFate[],
  before: SerialisedModel,
  after: SerialisedModel,
): Item[] {
  const known = new Map(fates.map(fate => [fate.name, fate]))
  const changed = itemsOf(services, {
    '+': name => urlsOf(after.services[name]),
    '-': name => urlsOf(before.services[name]),
    '~': () => 'rebuilt',
  }).map((item): Item => {
    const [name = ''] = item.cells
    const fate = item.sign === '~' ? known.get(name) : undefined
    if (fate === undefined) return item
    const { added, removed, kept } = fate.targets
    const moved = [...added.map(url => `+ ${url}`), ...removed.map(url => `- ${url}`)]
    const below = moved.length === 0 ? item.below : item.below.filter(line => !/^targets[. ]/.test(line))
    return { ...item, below: [...below, ...moved, ...(moved.length === 0 ? [] : [`${count(kept, 'target')} kept`])] }
  })
  const again = fates
    .filter(({ name, fate }) => fate === 'rebuilt' && services.kept.includes(name))
    .map(
      ({ name, because }): Item => ({ sign: '=', cells: [name, `rebuilt as it is: ${because.join('; ')}`], below: [] }),
    )
  return [...changed, ...again]
}

function urlsOf(service: Entry | undefined): string {
  const targets = Array.isArray(service?.targets) ? service.targets : []
  const urls = targets.map(target => String(Object(target).url))
  return urls.length > 3 ? count(urls.length, 'target') : urls.join(', ')
}

function routeText({ routes }: SerialisedModel, name: string): string {
  const { match, action } = routes[name] ?? {}
  const { kind, service, status, to, reply } = Object(action) as Record<string, unknown>
  const what =
    kind === 'service' ? service : kind === 'redirect' ? `redirect ${status} ${to}` : `reply ${Object(reply).status}`
  return `${match} → ${what}`
}

function keptText({ routes, plugins, listeners, serviceFates }: PlanOutput): string {
  const keptServices = serviceFates.filter(({ fate }) => fate === 'kept').length
  const parts = [
    count(routes.kept.length, 'route'),
    count(keptServices, 'service'),
    count(plugins.kept.length, 'plugin'),
    count(listeners.kept.length, 'listener'),
  ]
  return `Kept: ${parts.join(', ')}.`
}

const times = /(?:Ms|Timeout|maxAge)$/

function changeText({ path, before, after }: Change): string {
  const key = path.join('.')
  const isTime = times.test(key) || path[0] === 'timeouts'
  const show = (value: Json | undefined) => (isTime && typeof value === 'number' ? timeText(value) : valueText(value))
  const [old, now] = [before, after].map(value => withoutDigests(show(value)))
  // What is not shown differs by its digest alone.
  return old === now ? `${key}  ${now}, another than before` : `${key}  ${old} → ${now}`
}

const timeText = (ms: number) => (ms === 0 ? 'none' : formatDuration(ms))

/** In characters. */
const longestValue = 100

function valueText(value: Json | undefined): string {
  if (value === undefined) return '(none)'
  const text = JSON.stringify(value)
  return text.length > longestValue ? `${text.slice(0, longestValue)}…` : text
}

const withoutDigests = (text: string) =>
  text.replace(/"?\[((?:redacted|function|\d+ bytes)[^\]]*?) [\w-]{12}\]"?/g, '[$1]')

const groupsShown = 20

function replayBlocks({ file, requests, differing, groups, malformed, others, notes }: ReplayOutput): string[] {
  const besides = [
    ...(malformed.count > 0 ? [`${malformed.count} malformed`] : []),
    ...(others > 0 ? [`${others} about something else`] : []),
  ]
  const read = besides.length === 0 ? '' : ` (besides ${besides.join(', ')})`
  const left = groups.length - groupsShown
  return [
    `${shortName(file)}: ${count(requests, 'request')}${read}, ${differing} treated differently\n`,
    ...groups.slice(0, groupsShown).map(groupText),
    left > 0 ? `… and ${left} more kinds; --json has them all\n` : '',
    malformed.first.map(({ line, fault }) => `${shortName(file)}:${line} ${fault}\n`).join(''),
    notes.map(note => `${note}\n`).join(''),
  ]
}

function groupText({ before, after, differs, count: times, examples }: ReplayGroup): string {
  const lines = examples.map(({ method, host, url, before: old, after: now }) => [
    `    ${method}`,
    `${url.startsWith('/') ? (host ?? '') : ''}${url}`,
    differs.includes('path') ? `${old || '-'} → ${now || '-'}` : '',
  ])
  const title = `${times} × ${decisionText(before)} → ${decisionText(after)}: ${differs.join(', ')}`
  return `${[title, ...partTexts(before, after, differs), ...columns(lines)].join('\n')}\n`
}

function decisionText({ route, status, code, service }: Decision): string {
  if (route === null) return [status, code].filter(part => part !== null).join(' ')
  return `${route} (${service ?? status})`
}

/** What of targets and plugins differs, where it is one route's. */
function partTexts(before: Decision, after: Decision, differs: ReplayGroup['differs']): string[] {
  const names = ({ plugins }: Decision) => plugins.map(({ name }) => name).join(', ') || 'none'
  if (!differs.includes('plugins')) return []
  const [old, now] = [names(before), names(after)]
  return [old === now ? `    plugins ${now}, with other options` : `    plugins ${old} → ${now}`]
}
