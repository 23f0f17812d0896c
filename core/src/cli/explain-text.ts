import { inspect, styleText } from 'node:util'
import type {
  ActionExplanation,
  Candidate,
  Explanation,
  HeaderChange,
  Origin,
  PluginExplanation,
  RouteExplanation,
  ServiceTargets,
} from '../control/explanation.ts'
import { formatDuration } from './format-duration.ts'
import { shortName } from './report.ts'
import { columns, rows } from './rows.ts'

/** Candidates for other hosts say little, and there may be a thousand. */
const strangersShown = 5

/** For people; in colour where the output is a terminal that wants it (NO_COLOR). */
export function explanationText(explanation: Explanation, stream: NodeJS.WriteStream): string {
  const { request, refusal, candidates, route, notes } = explanation
  const paint = (format: 'bold' | 'red' | 'green', text: string) => styleText(format, text, { stream })
  const path = request.path ?? request.url
  const asked = `${request.method} ${path}${request.query === '' ? '' : `?${request.query}`}`
  const where = [
    request.host === '' ? 'no host' : `host ${request.host}`,
    ...(request.listener === null ? [] : [`listener ${request.listener}`]),
  ]
  const blocks = [
    `${paint('bold', asked)}  (${where.join(', ')})\n`,
    candidateLines(candidates)
      .map(line => `  ${line.startsWith('→') ? paint('green', line) : line}\n`)
      .join(''),
  ]
  if (refusal !== null) {
    const hint = refusal.hint === undefined ? '' : `  ${refusal.hint}\n`
    blocks.push(`${paint('red', String(refusal.status))} ${refusal.code}: ${refusal.message}\n${hint}`)
  }
  if (route !== null) blocks.push(`${paint('bold', route.name)}${suffix(route.origin)}\n${indent(routeRows(route))}`)
  blocks.push(notes.map(note => `${note}\n`).join(''))
  return blocks.filter(block => block !== '').join('\n')
}

const indent = (text: string) => text.replace(/^(?=.)/gm, '  ')

function candidateLines(candidates: readonly Candidate[]): string[] {
  const near = candidates.filter(({ failed }) => failed?.what !== 'host')
  const strangers = candidates.filter(({ failed }) => failed?.what === 'host')
  const shown = [...near, ...strangers.slice(0, strangersShown)]
  const lines = columns(
    shown.map(candidate => {
      const { verdict, match, hosts, route } = candidate
      return [verdict === 'chosen' ? '→' : '·', match, hosts.join(', ') || '*', route, verdictText(candidate)]
    }),
  )
  const left = strangers.length - strangersShown
  return left > 0 ? [...lines, `· … and ${left} more for other hosts`] : lines
}

function verdictText({ verdict, failed }: Candidate): string {
  if (failed === undefined) return verdict === 'chosen' ? 'takes it' : 'would take it after that'
  const what = failed.name === undefined ? failed.what : `${failed.what} ${failed.name}`
  return `${what}: wants ${failed.wants}, got ${failed.got === null ? 'none' : `"${failed.got}"`}`
}

function routeRows(route: RouteExplanation): string {
  const { params, action, timeouts, plugins, hooks, requestHeaders, responseHeaders } = route
  const names = action.kind === 'service' ? (['connect', 'head', 'idle', 'total'] as const) : (['total'] as const)
  const forwarded =
    action.kind === 'service'
      ? [`hop-by-hop fields go, the gateway sets ${action.sets.join(', ')}`, hostLine(action)]
      : []
  return rows([
    ['params', Object.entries(params).map(([name, value]) => `${name} = ${JSON.stringify(value)}`)],
    [action.kind, actionLines(action)],
    [
      'timeouts',
      columns(
        names.map(name => {
          const { ms, origin } = timeouts[name]
          return [name, ms === 0 ? 'none' : formatDuration(ms), originText(origin)]
        }),
      ),
    ],
    ['plugins', [...plugins.map(pluginText), ...(hooks.length === 0 ? [] : [`the route itself: ${hooks.join(', ')}`])]],
    ['request', [...forwarded, ...requestHeaders.map(changeText)]],
    ['response', responseHeaders.map(changeText)],
  ])
}

function actionLines(action: ActionExplanation): string[] {
  if (action.kind === 'redirect') return [`${action.status} to ${action.location}`]
  if (action.kind === 'reply') {
    return [`${action.status}`, ...Object.entries(action.headers).map(([name, value]) => `${name}: ${value}`)]
  }
  const { others, path } = action
  const also = others.flatMap(other => {
    const [first, ...more] = serviceLines(other, path)
    return [`also ${first}`, ...more]
  })
  return [...serviceLines(action, path), ...also]
}

function serviceLines(to: ServiceTargets, path: string): string[] {
  const { service, origin, protocol, balance, connector, discover, stale, targets } = to
  const how = [balance.use, connector === null ? protocol : `connector ${connector.use}`]
  if (discover !== null) how.push(`targets of ${discover.use}${stale === undefined ? '' : `, stale: ${stale}`}`)
  const [only, ...more] = targets
  const weighted = more.some(({ weight }) => weight !== only?.weight)
  return [
    `${service} (${how.join(', ')})${suffix(origin)}`,
    ...targets.map(({ url, weight, inFlight, held }) => {
      const shared = weighted ? `, weight ${weight}` : ''
      const busy = inFlight === undefined ? '' : `, ${inFlight} in flight`
      // A socket's path and the request's would read as one.
      return `${url}${url.startsWith('unix:') ? ' ' : ''}${path}${shared}${busy}${held === undefined ? '' : `, out: ${held.join(', ')}`}`
    }),
    ...(targets.length === 0 ? [`path ${path}`] : []),
  ]
}

function hostLine({ host }: ActionExplanation & { kind: 'service' }): string {
  if (host === 'requestHeaders') return 'Host as requestHeaders set it'
  return host === 'client' ? "Host as the client's" : 'Host of the target'
}

function pluginText({ name, stage, origin, options, routeOptions, serviceOptions, hooks }: PluginExplanation): string {
  const parts = [
    ...(options === null ? [] : [show(options)]),
    ...(routeOptions === null ? [] : [`route ${show(routeOptions)}`]),
    ...(serviceOptions === null ? [] : [`service ${show(serviceOptions)}`]),
    ...(hooks === null ? [] : [hooks.length === 0 ? 'no hook on this route' : hooks.join(', ')]),
  ]
  return `${name} (${stage})${parts.map(part => `, ${part}`).join('')}${suffix(origin)}`
}

function changeText({ change, name, value, origin }: HeaderChange): string {
  return `${change} ${name}${value === undefined ? '' : `: ${value}`}${suffix(origin)}`
}

const show = (options: unknown) => inspect(options, { breakLength: Number.POSITIVE_INFINITY, depth: 6 })
const suffix = (origin: Origin) => `  (${originText(origin)})`

function originText(origin: Origin): string {
  if (origin.from !== 'config') return origin.from
  const { file, line, column, path } = origin
  if (file === undefined) return path.join('.')
  return line === undefined ? shortName(file) : `${shortName(file)}:${line}:${column}`
}
