import manifest from '../../package.json' with { type: 'json' }
import { check } from './check.ts'
import { type Command, table, UsageError, unknown } from './command.ts'
import { NoConfigFile } from './config-file.ts'
import { dev } from './dev.ts'
import { print } from './print.ts'
import { routes } from './routes.ts'
import { start } from './start.ts'

const commands: readonly Command[] = [start, dev, check, routes, print]

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

async function run(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv
  const command = commands.find(other => other.name === name)
  try {
    if (command === undefined) return runWithoutCommand(name)
    if (asksForHelp(rest)) return show(command.help)
    return await command.run(rest)
  } catch (error) {
    if (error instanceof NoConfigFile) {
      process.stderr.write(`gateway: ${error.message}\n`)
      return 1
    }
    if (!(error instanceof UsageError)) {
      process.stderr.write(`gateway: ${error instanceof Error ? error.stack : String(error)}\n`)
      return 1
    }
    process.stderr.write(`gateway: ${error.message}\n\n${command?.help ?? overview}`)
    return 2
  }
}

function runWithoutCommand(word: string | undefined): number {
  if (word === '--help' || word === '-h') return show(overview)
  if (word === '--version' || word === '-v') return show(`${manifest.version}\n`)
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

const overview = `Usage: gateway COMMAND [FILE] [options]

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
