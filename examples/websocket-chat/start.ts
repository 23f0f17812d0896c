// The chat and, in front of it, the gateway.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const run = (...args: string[]) => spawn(process.execPath, args, { stdio: 'inherit', cwd: here })

const chat = run('chat.ts', '3001')
const gateway = run('../../core/bin/gateway.js', 'start', '--watch', ...process.argv.slice(2))
console.log(`
Open http://localhost:8080 in two windows. Then
  npx gateway connections             # lists them
  npx gateway connections --close ID  # the page connects again
Edit gateway.config.ts while they chat: nobody is disconnected. Ctrl-C ends everything.
`)

// Ctrl-C reaches the whole group by itself; a signal to this process alone is passed on.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => gateway.kill())
gateway.once('exit', code => {
  chat.kill()
  process.exitCode = code ?? 1
})
