import { chmodSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { findSockets } from './ask-control.ts'
import { makeSocketFolder, socketFolders } from './socket-folder.ts'

/**
 * What can be asked, by method and path: `GET /status`. It gets the request's body as JSON, and its answer is sent as
 * JSON. Methods that change something are not GET.
 */
export type ControlTable = Readonly<Record<string, (body: unknown) => unknown>>

export interface ControlSocket {
  readonly path: string
  close(): Promise<void>
}

/** What is wrong with a question, for whoever asked. */
export class ControlError extends Error {
  override readonly name = 'ControlError'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

const longestBody = 64 * 1024

/**
 * Opens a unix socket that speaks HTTP/1.1 and JSON, for tools of the same user on the same machine: nothing of it can be
 * reached over a network, and the folder it is in is closed to other users. It keeps no process alive. What dead
 * processes left there is removed.
 *
 * @throws Error when it cannot be had
 */
export async function serveControl(table: ControlTable, folder = socketFolders()[0]): Promise<ControlSocket> {
  if (folder === undefined) throw new Error('there is no folder for it')
  makeSocketFolder(folder)
  await findSockets([folder])
  const path = join(folder, `${process.pid}.sock`)
  const server = createServer((request, response) => void handle(table, request, response))
  const listening = Promise.withResolvers<void>()
  server.once('error', listening.reject)
  server.listen({ path }, listening.resolve)
  await listening.promise
  server.off('error', listening.reject)
  // Whatever comes later concerns one connection to the socket, never a request that is proxied.
  server.on('error', () => {})
  chmodSync(path, 0o600)
  server.unref()
  return {
    path,
    close() {
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      server.closeAllConnections()
      return closed
    },
  }
}

async function handle(table: ControlTable, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    send(response, 200, await answer(table, request))
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    send(response, error instanceof ControlError ? error.status : 500, { error: message })
  }
}

async function answer(table: ControlTable, request: IncomingMessage): Promise<unknown> {
  const name = `${request.method} ${request.url}`
  const ask = Object.hasOwn(table, name) ? table[name] : undefined
  if (ask === undefined) throw new ControlError(404, `there is no ${name}: ask ${Object.keys(table).join(', ')}`)
  return ask(await readBody(request))
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  let text = ''
  for await (const piece of request.setEncoding('utf8')) {
    text += String(piece)
    if (text.length > longestBody) throw new ControlError(413, 'the body is too long')
  }
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    throw new ControlError(400, 'the body is no JSON')
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(`${JSON.stringify(body ?? null)}\n`)
}
