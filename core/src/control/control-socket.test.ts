import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { makeFolder } from '../../../test/support/folder.ts'
import { askControl, findSockets } from './ask-control.ts'
import { ControlError, type ControlSocket, type ControlTable, serveControl } from './serve-control.ts'
import { socketFolders } from './socket-folder.ts'

/** Where a folder for sockets may be made. */
const place = () => join(makeFolder(), 'gateway')

async function serve(table: ControlTable, folder = place()): Promise<ControlSocket & { readonly folder: string }> {
  const socket = await serveControl(table, folder)
  onTestFinished(() => socket.close())
  return { ...socket, folder }
}

const table: ControlTable = {
  'GET /status': () => ({ pid: 1 }),
  'POST /echo': body => body,
  'POST /wrong': () => {
    throw new ControlError(400, 'so it is not asked')
  },
  'POST /broken': async () => {
    throw new Error('it broke')
  },
  'GET /nothing': () => undefined,
}

describe('questions and answers', () => {
  test('JSON both ways', async () => {
    const { path } = await serve(table)
    expect(await askControl(path, 'GET /status')).toEqual({ pid: 1 })
    expect(await askControl(path, 'POST /echo', { a: ['é'] })).toEqual({ a: ['é'] })
    expect(await askControl(path, 'GET /nothing')).toBeNull()
  })

  test.each([
    ['GET /nowhere', undefined, 'there is no GET /nowhere: ask GET /status, POST /echo'],
    ['POST /status', undefined, 'there is no POST /status'],
    ['POST /wrong', undefined, 'so it is not asked'],
    ['POST /broken', undefined, 'it broke'],
    ['POST /echo', 'x'.repeat(70_000), 'the body is too long'],
  ])('%s is refused with the reason', async (question, body, message) => {
    const { path } = await serve(table)
    await expect(askControl(path, question, body)).rejects.toThrow(message)
    expect(await askControl(path, 'GET /status')).toEqual({ pid: 1 })
  })

  test('what is no JSON, and what is no HTTP', async () => {
    const { path } = await serve(table)
    const answerTo = async (bytes: string) => {
      const socket = connect(path).setEncoding('utf8')
      let text = ''
      socket.on('data', piece => {
        text += piece
      })
      socket.end(bytes)
      await once(socket, 'close')
      return text
    }
    const head = 'POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\n'
    expect(await answerTo(`${head}{`)).toMatch(/^HTTP\/1\.1 400 .*the body is no JSON/s)
    expect(await answerTo('nonsense\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
    expect(await askControl(path, 'GET /status')).toEqual({ pid: 1 })
  })

  test('one that takes too long is given up', async () => {
    const { path } = await serve({ 'GET /slow': () => new Promise(() => {}) })
    const signal = AbortSignal.timeout(10)
    await expect(askControl(path, 'GET /slow', undefined, signal)).rejects.toThrow()
  })
})

describe('the folder', () => {
  test('and the socket are for this user alone, and the socket goes when it is closed', async () => {
    const before = process.umask(0)
    onTestFinished(() => void process.umask(before))
    const { folder, path, close } = await serve(table)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(path).toBe(join(folder, `${process.pid}.sock`))
    expect(await findSockets([folder])).toEqual([{ pid: process.pid, path }])
    await close()
    expect(existsSync(path)).toBe(false)
  })

  const traps: [string, (folder: string) => void, RegExp][] = [
    ['open to others', folder => mkdirSync(folder, { mode: 0o750 }), /is open to other users: chmod 700/],
    ['a link', folder => symlinkSync(tmpdir(), folder), /is a symbolic link: remove it/],
    ['a file', folder => writeFileSync(folder, ''), /is no folder: remove it/],
  ]
  test.each(traps)('that is %s is refused', async (_, lay, message) => {
    const folder = place()
    lay(folder)
    await expect(serve(table, folder)).rejects.toThrow(message)
    expect(await findSockets([folder])).toEqual([])
  })

  test.runIf(process.getuid?.() === 0)("that is somebody else's is refused", async () => {
    const folder = place()
    mkdirSync(folder, { mode: 0o700 })
    chownSync(folder, 12_345, 12_345)
    await expect(serve(table, folder)).rejects.toThrow('belongs to another user')
  })

  test("is the user's own: of the session if there is one, or else below the folder for temporary files", () => {
    const { XDG_RUNTIME_DIR: before } = process.env
    onTestFinished(() => {
      if (before === undefined) delete process.env.XDG_RUNTIME_DIR
      else process.env.XDG_RUNTIME_DIR = before
    })
    const temporary = join(tmpdir(), `gateway-${process.getuid?.()}`)
    const runtime = join(place(), '..')
    for (const [value, expected] of [
      [runtime, [join(runtime, 'gateway'), temporary]],
      [join(runtime, 'gone'), [temporary]],
      ['relative', [temporary]],
      ['', [temporary]],
    ] as const) {
      process.env.XDG_RUNTIME_DIR = value
      expect(socketFolders()).toEqual(expected)
    }
  })
})

describe('sockets that were left', () => {
  /** Listens on a path, and is killed without a chance to clean up. */
  async function leave(path: string): Promise<number> {
    const script = `require('node:net').createServer().listen(process.argv[1].replace('PID', process.pid), () => console.log(process.pid))`
    const child = spawn(process.execPath, ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'exit')
    return child.pid ?? 0
  }

  test('by dead processes are removed, those of living ones kept', async () => {
    const { folder, path } = await serve(table)
    const pid = await leave(join(folder, 'PID.sock'))
    expect(existsSync(join(folder, `${pid}.sock`))).toBe(true)
    expect(await findSockets([folder])).toEqual([{ pid: process.pid, path }])
    expect(existsSync(join(folder, `${pid}.sock`))).toBe(false)
  })

  test('under its own number do not keep a process from having one', async () => {
    const folder = place()
    mkdirSync(folder, { mode: 0o700 })
    await leave(join(folder, `${process.pid}.sock`))
    const { path } = await serve(table, folder)
    expect(await askControl(path, 'GET /status')).toEqual({ pid: 1 })
  })

  test('a second one of the same process is refused', async () => {
    const { folder, path } = await serve(table)
    await expect(serveControl(table, folder)).rejects.toThrow('EADDRINUSE')
    expect(await askControl(path, 'GET /status')).toEqual({ pid: 1 })
  })
})
