import { once } from 'node:events'
import type { ListenOptions, Server, Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import { onCleanup } from './cleanup.ts'

export interface Listening {
  /** Of a Unix socket `unix:` and its path, and the port is 0. */
  readonly origin: string
  readonly port: number
}

/** Has a server of whichever protocol listen, until the test is over: then it and its connections are closed. Default: on port 0 of 127.0.0.1. */
export async function listening(server: Server, where: ListenOptions = {}): Promise<Listening> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(where.path === undefined ? { host: '127.0.0.1', port: 0, ...where } : where)
  await once(server, 'listening')
  onCleanup('upstreams', async () => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  })
  return whereabouts(server)
}

export function whereabouts(server: Server): Listening {
  const address = server.address()
  if (address === null) throw new Error('it does not listen')
  if (typeof address === 'string') return { origin: `unix:${address}`, port: 0 }
  const { family, port } = address
  const scheme = server instanceof TlsServer ? 'https' : 'http'
  return { origin: `${scheme}://${family === 'IPv6' ? '[::1]' : '127.0.0.1'}:${port}`, port }
}
