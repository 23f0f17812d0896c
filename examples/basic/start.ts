// What `npm start` runs: two instances of server.ts and, in front of them, the gateway of the root's gateway.config.ts.
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = new URL('../../', import.meta.url)
const path = (relative: string) => fileURLToPath(new URL(relative, root))

const run = (...args: string[]): ChildProcess => spawn(process.execPath, args, { stdio: 'inherit', cwd: path('.') })

const servers = [
  run(path('examples/basic/server.ts'), '3001', 'example-1'),
  run(path('examples/basic/server.ts'), '3002', 'example-2'),
]
const gateway = run(path('core/bin/gateway.js'), 'start', '--watch', ...process.argv.slice(2))

console.log(`
Try:
  curl -i localhost:8080/api/example/hello
  curl -i localhost:8080/api/example/echo -d '{"hello":"gateway"}'
  curl -i localhost:8080/old

Edit gateway.config.ts while it runs: it is live when you save it. Ctrl-C ends everything.
`)

// Ctrl-C reaches the whole group by itself; a signal to this process alone is passed on. Each child drains and ends.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (signal === 'SIGTERM') gateway.kill(signal)
  })
}
gateway.once('exit', code => {
  for (const server of servers) server.kill()
  process.exitCode = code ?? 1
})
