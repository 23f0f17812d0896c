// Tells once a second how this machine is: `node metrics-server.ts PORT`.
import { readFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { freemem, loadavg, totalmem } from 'node:os'

const page = readFileSync(new URL('dashboard.html', import.meta.url))

/** The page at `/`, its events at `/events`: one every `intervalMs`, each with an id to go on from. */
export function createMetricsServer(intervalMs = 1_000): Server {
  const streams = new Set<ServerResponse>()
  let latest: { id: number; event: string } | undefined

  const server = createServer((request, response) => {
    if (request.url === '/') return response.setHeader('Content-Type', 'text/html; charset=utf-8').end(page)
    if (request.url !== '/events') return response.writeHead(404).end()
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    response.flushHeaders()
    // Whoever comes back has missed at most the latest: older ones tell nobody anything.
    const seen = Number(request.headers['last-event-id'] ?? Number.NaN)
    if (latest !== undefined && latest.id !== seen) response.write(latest.event)
    streams.add(response)
    response.on('close', () => streams.delete(response))
    return undefined
  })

  const timer = setInterval(() => {
    const id = Date.now()
    const metrics = { load: loadavg()[0], memory: 1 - freemem() / totalmem(), streams: streams.size }
    latest = { id, event: `id: ${id}\ndata: ${JSON.stringify(metrics)}\n\n` }
    for (const stream of streams) stream.write(latest.event)
  }, intervalMs)
  return server.on('close', () => clearInterval(timer))
}

if (import.meta.main) {
  const port = Number(process.argv[2] ?? 3010)
  const server = createMetricsServer()
  server.listen(port, '127.0.0.1', () => console.log(`metrics on http://127.0.0.1:${port}`))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      server.close()
      server.closeAllConnections()
    })
  }
}
