import { formatProblem } from '../config/problem.ts'
import type { ConnectionCount } from '../contract/host.ts'
import type { GenerationInfo } from '../gateway.ts'
import { defineCommandOf } from './command.ts'
import type { Status } from './control-table.ts'
import { formatAge } from './format-duration.ts'
import { shortName } from './report.ts'
import { rows } from './rows.ts'
import { askGateway } from './running.ts'
import { serviceLines } from './service-lines.ts'

export const status = defineCommandOf('[PID]', {
  details: `PID is the gateway's process; without it, the only one that runs.`,
  options: { json: { type: 'boolean', help: 'Print it as JSON' } },
  async run([pid], { json }) {
    const found = (await askGateway(pid, 'GET /status')) as Status
    process.stdout.write(json ? `${JSON.stringify(found, undefined, 2)}\n` : textOf(found))
    return 0
  },
})

function textOf(status: Status): string {
  const { pid, version, configFile, started, addresses, workers, shared, warnings } = status
  const up = formatAge(Date.now() - Date.parse(started))
  return rows([
    ['process', [`${pid}, gateway ${version}, up ${up}`]],
    ['config', [shortName(configFile)]],
    ['listening', addresses.map(({ name, url }) => (name === undefined ? url : `${url} (${name})`))],
    [
      'generations',
      workers.flatMap(({ worker, generations }) => {
        const whose = workers.length > 1 ? `worker ${worker}: ` : ''
        return generations.map(generation => `${whose}${generationLine(generation)}`)
      }),
    ],
    ['services', serviceLines(workers.map(({ services }) => services))],
    ['open', connectionLines(workers.flatMap(({ connections }) => connections))],
    ['shared', shared],
    ['warnings', warnings.map(formatProblem)],
  ])
}

/** Of all workers together. */
function connectionLines(counts: readonly ConnectionCount[]): string[] {
  const byKind = Map.groupBy(counts, ({ route, protocol }) => `${protocol} on ${route}`)
  return [...byKind].flatMap(([kind, of]) => {
    const open = of.reduce((sum, count) => sum + count.open, 0)
    return open === 0 ? [] : [`${open} ${kind}`]
  })
}

/** One that drains says what holds it. */
function generationLine({ id, state, inFlight, holders }: GenerationInfo): string {
  const line = `${id} ${state}, ${inFlight} in flight`
  if (state === 'serving' || inFlight === 0) return line
  const held = holders.map(
    ({ kind, route, client, ageMs }) =>
      `${kind === 'tunnel' ? 'tunnel of ' : ''}${route === '' ? 'no route' : route} for ${client}, ${Math.round(ageMs / 1_000)} s`,
  )
  const more = inFlight > holders.length ? [`${inFlight - holders.length} more`] : []
  return `${line}: ${[...held, ...more].join('; ')}`
}
