import { defineCommandOf } from './command.ts'
import type { ReloadOutcome } from './control-table.ts'
import { countProblems, printProblems } from './report.ts'
import { askGateway } from './running.ts'

export const reload = defineCommandOf('[PID]', {
  details: `PID is the gateway's process; without it, the only one that runs. A config that is wrong changes nothing: its
problems are shown and the exit code is 1.`,
  options: { json: { type: 'boolean', help: 'Print the outcome as JSON' } },
  async run([pid], { json }) {
    const outcome = (await askGateway(pid, 'POST /reload')) as ReloadOutcome
    const { ok, generation, problems } = outcome
    if (json) process.stdout.write(`${JSON.stringify(outcome, undefined, 2)}\n`)
    else {
      printProblems(problems, process.stdout)
      const said = ok
        ? `generation ${generation} serves`
        : `${countProblems(problems)}: not reloaded, generation ${generation} goes on serving`
      process.stderr.write(`${said}\n`)
    }
    return ok ? 0 : 1
  },
})
