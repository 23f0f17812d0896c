import type { ConnectionInfo } from '../tunnel/open-connections.ts'
import { defineCommandOf } from './command.ts'
import { columns } from './rows.ts'
import { askGateway } from './running.ts'

export const connections = defineCommandOf('[PID]', {
  details: `PID is the gateway's process; without it, the only one that runs.`,
  options: {
    close: { type: 'string', value: 'ID', help: 'Close this one; both sides are told first' },
    json: { type: 'boolean', help: 'Print them as JSON' },
  },
  async run([pid], { close, json }) {
    if (close !== undefined) {
      await askGateway(pid, 'POST /connections/close', { id: close })
      return 0
    }
    const open = (await askGateway(pid, 'GET /connections')) as readonly ConnectionInfo[]
    process.stdout.write(json ? `${JSON.stringify(open, undefined, 2)}\n` : tableOf(open))
    return 0
  },
})

function tableOf(open: readonly ConnectionInfo[]): string {
  if (open.length === 0) return 'none is open\n'
  const head = ['id', 'protocol', 'route', 'client', 'target', 'age', 'in', 'out', 'messages']
  const rows = open.map(({ id, protocol, route, client, target, ageMs, bytesIn, bytesOut, messages }) => {
    const numbers = [`${Math.round(ageMs / 1_000)} s`, `${bytesIn} B`, `${bytesOut} B`, String(messages)]
    return [id, protocol, route, client, target, ...numbers]
  })
  return `${columns([head, ...rows]).join('\n')}\n`
}
