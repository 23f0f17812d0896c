import { readdirSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { folderFault, socketFolders } from './socket-folder.ts'

/** The control socket of a process. */
export interface FoundSocket {
  readonly pid: number
  readonly path: string
}

/** Sockets at which a gateway of this user listens. Those that dead processes left are removed. */
export async function findSockets(folders: readonly string[] = socketFolders()): Promise<FoundSocket[]> {
  const found = await Promise.all(
    folders.flatMap(socketsIn).map(async socket => {
      if (await listens(socket.path)) return socket
      if (!isAlive(socket.pid)) rmSync(socket.path, { force: true })
      return undefined
    }),
  )
  return found.filter(socket => socket !== undefined).sort((a, b) => a.pid - b.pid)
}

function socketsIn(folder: string): FoundSocket[] {
  try {
    if (folderFault(folder) !== undefined) return []
    return readdirSync(folder).flatMap(name => {
      const pid = /^(\d+)\.sock$/.exec(name)?.[1]
      return pid === undefined ? [] : [{ pid: Number(pid), path: join(folder, name) }]
    })
  } catch {
    // No gateway has been there.
    return []
  }
}

function listens(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** Of its own number only a dead process can have left a socket before. */
function isAlive(pid: number): boolean {
  if (pid === process.pid) return false
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/**
 * Asks a running gateway: `GET /status`. Rejects with its message when it refuses, and with the signal's reason when it
 * takes too long.
 */
export async function askControl(
  path: string,
  question: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<unknown> {
  const [method, url] = question.split(' ')
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly status: number; readonly body: string }>()
  const asking = request({ socketPath: path, method, path: url, agent: false, signal }, response => {
    text(response).then(read => resolve({ status: response.statusCode ?? 0, body: read }), reject)
  })
  asking.on('error', reject)
  asking.end(body === undefined ? undefined : JSON.stringify(body))
  const answer = await promise
  const read: unknown = JSON.parse(answer.body)
  if (answer.status === 200) return read
  throw new Error(String(Object(read).error))
}
