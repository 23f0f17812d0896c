/** Keep-alive clients in a process of their own, each with a request under way at all times until told to stop. */
import { Agent, request } from 'node:http'

export interface ClientReport {
  readonly answered: number
  readonly connections: number
  /** What went wrong, at most ten. */
  readonly failures: readonly string[]
}

const port = Number(process.argv[2])
const clients = Number(process.argv[3])
const agent = new Agent({ keepAlive: true, maxSockets: clients })
const sockets = new Set<unknown>()
const failures: string[] = []
let answered = 0
let stopped = false

function once(number: number): Promise<void> {
  const upload = number % 3 === 0
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const options = { port, host: '127.0.0.1', agent, path: `/r/${number}`, method: upload ? 'POST' : 'GET' }
  const sent = request(options, response => {
    let body = ''
    response.setEncoding('latin1')
    response.on('data', piece => {
      body += piece
    })
    response.on('error', reject)
    response.on('end', () => {
      const expected = upload ? 'x'.repeat(10_000) : `/r/${number}`
      if (response.statusCode === 200 && body === expected) resolve()
      else reject(new Error(`${options.method} ${options.path}: ${response.statusCode} ${body.slice(0, 200)}`))
    })
  })
  sent.on('socket', socket => sockets.add(socket))
  sent.on('error', reject)
  sent.end(upload ? 'x'.repeat(10_000) : undefined)
  return promise
}

async function client(number: number): Promise<void> {
  for (let count = number; !stopped; count += clients) {
    await once(count).then(
      () => answered++,
      error => failures.length < 10 && failures.push(String(error)),
    )
    if (answered === clients) process.send?.('warm')
  }
}

process.on('message', () => {
  stopped = true
})
await Promise.all(Array.from({ length: clients }, (_, number) => client(number)))
const report: ClientReport = { answered, connections: sockets.size, failures }
process.send?.(report)
agent.destroy()
process.disconnect?.()
