import { explain as explainRequest, routingOf } from '../control/explain.ts'
import type { ExplainRequest, Explanation } from '../control/explanation.ts'
import { isToken } from '../http1/grammar.ts'
import { defineCommandOf, UsageError } from './command.ts'
import { configFile, envFileOption } from './config-file.ts'
import { explanationText } from './explain-text.ts'
import { inspectConfig } from './inspect-config.ts'
import { placeOrigins } from './place-origins.ts'
import { hasErrors } from './problems.ts'
import { printProblems } from './report.ts'
import { askGateway } from './running.ts'

export const explain = defineCommandOf('METHOD URL', {
  details: `URL is an http(s) URL, or a path: /users/7?full=1. Nothing is sent and no hook runs. From a file, plugins are not
set up, so which hooks they would return is not known; --running asks the gateway that serves.
Exit codes: 0 a route takes it, 1 none does or the config is wrong, 2 wrong usage.`,
  options: {
    header: { type: 'list', short: 'H', value: "'name: value'", help: 'A header field of the request, Host too' },
    config: { type: 'string', short: 'c', value: 'FILE', help: 'The config' },
    ...envFileOption,
    running: { type: 'optional', value: 'PID', help: 'Ask a running gateway; without PID, the only one' },
    json: { type: 'boolean', help: 'Print the explanation as JSON' },
  },
  async run([method = '', url = ''], { header, config, running, json, 'env-file': envFile }) {
    if (running !== undefined && config !== undefined) throw new UsageError('--running or --config: choose one')
    const request = { method: method.toUpperCase(), url: readUrl(url), headers: header.map(readHeader) }
    const explanation =
      running === undefined ? await explainFile(config, envFile, request) : await explainRunning(running, request)
    if (explanation === undefined) return 1
    process.stdout.write(
      json ? `${JSON.stringify(explanation, undefined, 2)}\n` : explanationText(explanation, process.stdout),
    )
    return explanation.refusal === null ? 0 : 1
  },
})

/** Undefined when the config has problems, which are then printed. */
async function explainFile(
  given: string | undefined,
  envFile: string | undefined,
  request: ExplainRequest,
): Promise<Explanation | undefined> {
  const file = configFile(given)
  const { model, problems } = await inspectConfig(file, envFile)
  if (model === undefined || hasErrors(problems)) {
    printProblems(problems, process.stderr)
    return undefined
  }
  try {
    return placeOrigins(explainRequest(model, routingOf(model), request), file)
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message)
    throw error
  }
}

async function explainRunning(pid: string, request: ExplainRequest): Promise<Explanation> {
  return (await askGateway(pid === '' ? undefined : pid, 'POST /explain', request)) as Explanation
}

function readUrl(url: string): string {
  if (/^(?:\/|https?:\/\/)/i.test(url)) return url
  throw new UsageError(`URL must be a path or an http(s) URL, not "${url}"`)
}

function readHeader(text: string): [string, string] {
  const [, name = '', value = ''] = /^([^:]+):\s*(.*)$/.exec(text) ?? []
  if (isToken(name)) return [name, value]
  throw new UsageError(`a header is written 'name: value', not "${text}"`)
}
