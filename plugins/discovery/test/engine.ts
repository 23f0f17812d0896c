import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { eventually } from '../../../test/support/eventually.ts'

const run = promisify(execFile)

function whyNone(): string | undefined {
  const programs = ['dockerd', 'docker', 'busybox']
  const lacking = programs.filter(program => spawnSync(program, ['--help']).error !== undefined)
  if (lacking.length > 0) return `no ${lacking}: apt-get install -y --no-install-recommends docker.io busybox-static`
  return process.getuid?.() === 0 ? undefined : 'only root can start one'
}

const reason = whyNone()
/** Where no engine can be had its tests are left out, but not in CI, which has to have one. */
export const engineMissing = reason !== undefined && process.env.CI === undefined
if (engineMissing) console.warn(`Tests with a Docker engine are left out: ${reason}`)

/**
 * A Docker engine of our own, with an image `tiny` that is busybox and nothing else. It leaves the machine's firewall and
 * default bridge alone, and its containers run on while it is away.
 */
export async function startEngine() {
  const folder = mkdtempSync(join(tmpdir(), 'gw-docker-'))
  const host = `unix://${folder}/docker.sock`
  let engine: ChildProcess | undefined

  const docker = async (...args: string[]) => (await run('docker', ['--host', host, ...args])).stdout.trim()

  async function start(): Promise<void> {
    const log = openSync(join(folder, 'log'), 'a')
    const places = ['--data-root', `${folder}/data`, '--exec-root', `${folder}/exec`, '--pidfile', `${folder}/pid`]
    const little = ['--iptables=false', '--ip-forward=false', '--bridge=none', '--storage-driver=vfs', '--live-restore']
    engine = spawn('dockerd', ['--host', host, ...places, ...little], { stdio: ['ignore', log, log] })
    closeSync(log)
    await eventually(async () => {
      if (engine?.exitCode !== null)
        throw new Error(`dockerd ended: ${readFileSync(join(folder, 'log'), 'utf8').slice(-2_000)}`)
      await docker('version')
    })
  }

  async function stop(): Promise<void> {
    if (engine === undefined || engine.exitCode !== null || engine.signalCode !== null) return
    engine.kill()
    await once(engine, 'exit')
  }

  async function removeAll(): Promise<void> {
    const all = (await docker('ps', '--all', '--quiet')).split('\n').filter(id => id !== '')
    if (all.length > 0) await docker('rm', '--force', ...all)
    await docker('network', 'prune', '--force')
  }

  async function end(): Promise<void> {
    await removeAll()
    await stop()
    // Its data, and the host's network, stay mounted.
    const mounts = readFileSync('/proc/mounts', 'utf8').match(new RegExp(`(?<= )${folder}/\\S+`, 'g')) ?? []
    for (const mount of mounts.reverse()) spawnSync('umount', [mount])
    rmSync(folder, { recursive: true })
  }

  async function importImage(): Promise<void> {
    const root = join(folder, 'root')
    for (const path of ['bin', 'www']) mkdirSync(join(root, path), { recursive: true })
    await run('sh', [
      '-c',
      `cp "$(command -v busybox)" ${root}/bin/ && ln -s busybox ${root}/bin/sh && tar -C ${root} -cf ${folder}/tiny.tar .`,
    ])
    await docker('import', `${folder}/tiny.tar`, 'tiny')
  }

  await start()
  await importImage()
  return { host, docker, start, stop, removeAll, end }
}

export type DockerEngine = Awaited<ReturnType<typeof startEngine>>

export interface ContainerOptions {
  readonly labels?: Readonly<Record<string, string>>
  /** More of `docker run`. Default: on the network of the host. */
  readonly args?: readonly string[]
}

/** Runs a container whose web server answers with the container's name. */
export function serveName({ docker }: DockerEngine, name: string, at: string, options: ContainerOptions = {}) {
  const { labels = {}, args = ['--network', 'host'] } = options
  const labelled = Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`])
  const script = `echo ${name} > /www/index.html; exec /bin/busybox httpd -f -p ${at} -h /www`
  return docker('run', '--detach', '--name', name, ...labelled, ...args, 'tiny', '/bin/busybox', 'sh', '-c', script)
}
