import type { FieldPredicate, RouteAction, RouteModel } from '../config/model.ts'
import { listenersText } from '../control/listeners-text.ts'
import { redact } from '../control/redact.ts'
import { defineCommand } from './command.ts'
import { configFile, envFileOption } from './config-file.ts'
import { inspectConfig } from './inspect-config.ts'
import { printProblems } from './report.ts'
import { compareRoutes } from './route-order.ts'

export const routes = defineCommand({
  options: { ...envFileOption, json: { type: 'boolean', help: 'Print them as a JSON array' } },
  async run(given, { json, 'env-file': envFile }) {
    const { model, problems } = await inspectConfig(configFile(given), envFile)
    if (model === undefined) {
      printProblems(problems, process.stderr)
      return 1
    }
    const rows = model.routes.toSorted(compareRoutes).map(rowOf)
    process.stdout.write(json ? `${JSON.stringify(rows, undefined, 2)}\n` : tableOf(rows))
    return 0
  },
})

interface Row {
  readonly name: string
  readonly method: string
  readonly host: string
  readonly path: string
  readonly to: string
  /** Conditions on the listener, header fields and query parameters. */
  readonly when: string
  /** Those with options on the route. */
  readonly plugins: readonly string[]
}

function rowOf(route: RouteModel): Row {
  return {
    name: route.name,
    method: route.methods.join(', ') || 'ANY',
    host: route.hosts.join(', ') || '*',
    path: route.pattern.text,
    to: describe(route.action),
    when: [
      ...(route.listeners.length === 0 ? [] : [`listener ${listenersText(route.listeners)}`]),
      ...route.headers.map(field => condition('header', field)),
      ...route.query.map(field => condition('query', field)),
    ].join(', '),
    plugins: Object.keys(route.options),
  }
}

function describe(action: RouteAction): string {
  if (action.kind === 'redirect') return `redirect ${action.status} ${action.to}`
  if (action.kind === 'reply') return `reply ${action.reply.status}`
  const { service, rewrite, stripPrefix, others = [] } = action
  const path = rewrite === undefined ? '' : ` ${rewrite}`
  const also = others.length === 0 ? '' : `, also ${others.join(', ')}`
  return `${service}${stripPrefix === undefined ? path : ` without ${stripPrefix}`}${also}`
}

function condition(kind: string, field: FieldPredicate): string {
  // A header that has to hold a token is a secret written into a config.
  const shown = redact(field) as { value?: unknown; pattern?: unknown }
  if (field.not) return `no ${kind} ${field.name}`
  if (field.pattern !== undefined) return `${kind} ${field.name} ~ ${shown.pattern}`
  return field.value === undefined ? `${kind} ${field.name}` : `${kind} ${field.name} = ${shown.value}`
}

function tableOf(rows: readonly Row[]): string {
  const head = ['METHOD', 'HOST', 'PATH', 'TO', 'WHEN', 'PLUGINS', 'NAME']
  const cells = rows.map(row => [
    row.method,
    row.host,
    row.path,
    `→ ${row.to}`,
    row.when || '-',
    row.plugins.join(', ') || '-',
    row.name,
  ])
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map(row => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return `${[head, ...cells].map(line).join('\n')}\n`
}
