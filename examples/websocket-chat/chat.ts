// A chat server: one page, one WebSocket endpoint, and everybody hears everybody. `node chat.ts PORT`.

import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { WebSocket, WebSocketServer } from 'ws'

export interface Chat {
  readonly port: number
  close(): Promise<void>
}

export async function startChat(port: number): Promise<Chat> {
  const page = await readFile(new URL('page.html', import.meta.url))
  const http = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end(page))
  const room = new WebSocketServer({ server: http, path: '/chat' })
  room.on('connection', socket => {
    socket.on('error', () => {})
    socket.on('message', data => {
      for (const member of room.clients) if (member.readyState === WebSocket.OPEN) member.send(data.toString())
    })
  })
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject)
    http.listen(port, '127.0.0.1', resolve)
  })
  return {
    port: portOf(http),
    async close() {
      for (const member of room.clients) member.close(1012, 'back in a moment')
      await new Promise(closed => http.close(closed))
    },
  }
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('it does not listen')
  return address.port
}

if (import.meta.main) {
  const chat = await startChat(Number(process.argv[2] ?? 3001))
  console.log(`the chat listens on http://127.0.0.1:${chat.port}`)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void chat.close())
}
