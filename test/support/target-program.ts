/** Answers with its name and how much it was sent, a moment later: so there is always something under way. */
import { createServer } from 'node:http'

const [, , name, port] = process.argv

const server = createServer((request, response) => {
  let bytes = 0
  request.on('data', chunk => {
    bytes += chunk.length
  })
  request.on('end', () => setTimeout(() => response.end(`${name} ${bytes}`), 2))
})
server.listen(Number(port), '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object') process.send?.(address?.port)
})
// Whoever started it is gone.
process.on('disconnect', () => process.exit())
