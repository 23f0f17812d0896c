import { listRoutes, type RouteRow } from '../control/list-routes.ts'
import { whole } from '../slices.ts'
import { defineCommand, UsageError } from './command.ts'
import { configFile, envFileOption } from './config-file.ts'
import { inspectConfig } from './inspect-config.ts'
import { printProblems } from './report.ts'
import { columns } from './rows.ts'
import { askGateway } from './running.ts'

export const routes = defineCommand({
  details: `Routes that discovery found are known to a running gateway alone: --running lists them, too, with who asked for each.`,
  options: {
    ...envFileOption,
    running: { type: 'optional', value: 'PID', help: 'Ask a running gateway; without PID, the only one' },
    json: { type: 'boolean', help: 'Print them as a JSON array' },
  },
  async run(given, { json, running, 'env-file': envFile }) {
    if (running !== undefined && given !== undefined) throw new UsageError('--running or FILE: choose one')
    const rows = running === undefined ? await rowsOfFile(given, envFile) : await rowsOfRunning(running)
    if (rows === undefined) return 1
    process.stdout.write(json ? `${JSON.stringify(rows, undefined, 2)}\n` : tableOf(rows, running !== undefined))
    return 0
  },
})

/** Undefined when the config has problems, which are then printed. */
async function rowsOfFile(given: string | undefined, envFile: string | undefined) {
  const { model, problems } = await inspectConfig(configFile(given), envFile)
  if (model !== undefined) return whole(listRoutes(model.routes))
  printProblems(problems, process.stderr)
  return undefined
}

async function rowsOfRunning(pid: string) {
  return (await askGateway(pid || undefined, 'GET /routes')) as readonly RouteRow[]
}

/** `runs`: some may not be the config's. */
function tableOf(rows: readonly RouteRow[], runs: boolean): string {
  const head = ['METHOD', 'HOST', 'PATH', 'TO', 'WHEN', 'PLUGINS', 'NAME', ...(runs ? ['FROM'] : [])]
  const cells = rows.map(row => [
    row.method,
    row.host,
    row.path,
    `→ ${row.to}`,
    row.when || '-',
    row.plugins.join(', ') || '-',
    row.name,
    ...(runs ? [row.found === undefined ? 'config' : `${row.found.discovery}: ${row.found.from}`] : []),
  ])
  return `${columns([head, ...cells]).join('\n')}\n`
}
