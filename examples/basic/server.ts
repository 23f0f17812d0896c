// A small real HTTP server to stand behind the gateway: `node server.ts PORT NAME`.
import { createServer } from 'node:http'

const [port = '3001', name = `server-${port}`] = process.argv.slice(2)

const server = createServer((request, response) => {
  const { method, url, headers } = request
  response.setHeader('Content-Type', 'application/json')
  if (method === 'POST') {
    // Sends back what it gets, as it gets it.
    request.pipe(response)
    return
  }
  response.end(`${JSON.stringify({ from: name, method, url, headers })}\n`)
})

server.listen(Number(port), '127.0.0.1', () => console.log(`${name} listens on http://127.0.0.1:${port}`))

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => server.close())
