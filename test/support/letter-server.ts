/** Run by {@link forkServer}: answers with a letter, as late as it is told, and says how long the request's body was. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const [letter, port] = process.argv.slice(2)
let delayMs = 0
process.on('message', ms => {
  delayMs = Number(ms)
})
// Whoever started it has ended.
process.on('disconnect', () => process.exit())

const server = createServer((request, response) => {
  let bytes = 0
  request.on('data', piece => {
    bytes += piece.length
  })
  request.on('end', () => {
    response.setHeader('X-Body-Bytes', bytes)
    if (delayMs === 0) response.end(letter)
    else setTimeout(() => response.end(letter), delayMs)
  })
})
server.listen(Number(port), '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
