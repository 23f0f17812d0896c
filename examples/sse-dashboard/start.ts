// The server of the metrics and, in front of it, the gateway: `node start.ts`, then http://localhost:8080.
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
const run = (...args: string[]): ChildProcess => spawn(process.execPath, args, { stdio: 'inherit', cwd: path('.') })

const server = run(path('metrics-server.ts'), '3010')
const gateway = run(path('../../core/bin/gateway.js'), 'start', '--watch', ...process.argv.slice(2))
console.log(
  'Open http://localhost:8080. Save gateway.config.ts while it runs: the page goes on. Ctrl-C ends everything.',
)

// Ctrl-C reaches the whole group by itself; a signal to this process alone is passed on.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (signal === 'SIGTERM') gateway.kill(signal)
  })
}
gateway.once('exit', code => {
  server.kill()
  process.exitCode = code ?? 1
})
