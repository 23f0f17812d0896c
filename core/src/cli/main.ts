import { type Command, table, UsageError, unknown } from './command.ts'
import { PlainFailure } from './plain-failure.ts'
import { version } from './version.ts'

interface Row {
  readonly name: string
  readonly summary: string
  /** Most commands bring the whole gateway along, which takes some hundred milliseconds that help should not cost. */
  load(): Promise<Command>
}

const commands: readonly Row[] = [
  { name: 'start', summary: 'Run the gateway.', load: async () => (await import('./start.ts')).start },
  {
    name: 'dev',
    summary: 'Run the gateway, reload at every save, show type errors.',
    load: async () => (await import('./dev.ts')).dev,
  },
  {
    name: 'check',
    summary: 'Load, type-check and validate a config without starting anything.',
    load: async () => (await import('./check.ts')).check,
  },
  {
    name: 'routes',
    summary: 'List the routes, of any two that one request could meet the more specific first.',
    load: async () => (await import('./routes.ts')).routes,
  },
  {
    name: 'print',
    summary: 'Print the config as the gateway understands it, as JSON.',
    load: async () => (await import('./print.ts')).print,
  },
  {
    name: 'explain',
    summary: 'Tell which route takes a request and why, and what is done with it.',
    load: async () => (await import('./explain.ts')).explain,
  },
  {
    name: 'plan',
    summary: 'Show what a reload would change, and which recorded requests it would treat differently.',
    load: async () => (await import('./plan.ts')).plan,
  },
  {
    name: 'convert',
    summary: 'Write a YAML config as a gateway.config.ts.',
    load: async () => (await import('./convert.ts')).convert,
  },
  {
    name: 'schema',
    summary: 'Print a JSON Schema of YAML configs, with the options of installed plugins.',
    load: async () => (await import('./schema.ts')).schema,
  },
  {
    name: 'status',
    summary: 'Show what a running gateway serves.',
    load: async () => (await import('./status.ts')).status,
  },
  {
    name: 'connections',
    summary: 'List the connections that stay open, such as WebSockets, or close one.',
    load: async () => (await import('./connections.ts')).connections,
  },
  {
    name: 'reload',
    summary: 'Have a running gateway reload its config, and tell how that went.',
    load: async () => (await import('./reload.ts')).reload,
  },
]

/** How long what a config or a plugin left open may keep the process alive once its command is done, in milliseconds. */
const lingerMs = 500

/**
 * Runs the command line and resolves with the exit code: 0 fine, 1 problems found or failure, 2 wrong usage. The process
 * then ends by itself, at the latest half a second later.
 */
export async function main(argv: readonly string[]): Promise<number> {
  // Whoever read our output may have gone (`gateway routes | head`): not a failure of ours.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  const code = await run(argv)
  setTimeout(() => process.exit(code), lingerMs).unref()
  return code
}

async function run([name, ...rest]: readonly string[]): Promise<number> {
  let help = overview
  try {
    const row = commands.find(other => other.name === name)
    if (row === undefined) return runWithoutCommand(name)
    const command = await row.load()
    help = `Usage: gateway ${row.name} ${command.usage} [options]\n\n${row.summary}\n\n${command.help}`
    return asksForHelp(rest) ? show(help) : await command.run(rest)
  } catch (error) {
    const isUsage = error instanceof UsageError
    const text = isUsage ? `${error.message}\n\n${help}` : `${failure(error)}\n`
    process.stderr.write(`gateway: ${text}`)
    return isUsage ? 2 : 1
  }
}

function failure(error: unknown): string {
  if (error instanceof PlainFailure) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

function runWithoutCommand(word: string | undefined): number {
  if (word === '--help' || word === '-h') return show(overview)
  if (word === '--version' || word === '-v') return show(`${version()}\n`)
  if (word === undefined) throw new UsageError('a command is missing')
  throw word.startsWith('-')
    ? unknown('option', word, ['help', 'version'])
    : unknown(
        'command',
        word,
        commands.map(({ name }) => name),
      )
}

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  const options = end === -1 ? argv : argv.slice(0, end)
  return options.includes('--help') || options.includes('-h')
}

function show(text: string): 0 {
  process.stdout.write(text)
  return 0
}

const overview = `Usage: gateway COMMAND [arguments] [options]

A TypeScript API gateway.

Commands:
${table(commands.map(({ name, summary }) => [name, summary]))}

Options:
${table([
  ['--help', 'Show this help, or that of a command'],
  ['--version', 'Show the version'],
])}

Exit codes: 0 fine, 1 problems found or failure, 2 wrong usage.
`
