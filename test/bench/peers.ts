import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gatewayConfig } from './gateway-config.ts'
import { folder, run } from './processes.ts'

/** What a proxy is to do; each of them in its own words below. */
export interface ProxySpec {
  readonly port: number
  /** Port on 127.0.0.1 that it sends to. */
  readonly upstream: number
  /** Its own, for config and logs. */
  readonly folder: string
  /** The most client connections at once. */
  readonly connections: number
  /** One line a request, into a file. */
  readonly accessLog: boolean
  /** PEM files; listens with TLS, and HTTP/2 for those who ask for it. */
  readonly tls: TlsFiles | undefined
  /** Carries WebSockets and event streams, for as long as they last. */
  readonly streams: boolean
  /** Only this gateway: so many routes instead of one. */
  readonly routes: number | undefined
  /** Only this gateway. */
  readonly workers: number | undefined
  /** Only this gateway: the plugins as they stand in a config, and what they are imported with. */
  readonly plugins: PluginText | undefined
}

export interface PluginText {
  readonly imports: string
  readonly list: string
}

export interface TlsFiles {
  readonly cert: string
  readonly key: string
}

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

export interface Peer {
  /** Debian's package. */
  readonly apt: string
  /** Prints the version in its first line. */
  readonly version: readonly [string, ...string[]]
  /** Writes the config; one worker, thread or GOMAXPROCS=1, connections to the upstream kept. */
  command(spec: ProxySpec): Command | Promise<Command>
}

const root = join(import.meta.dirname, '../..')
/** Upstream connections that may be kept idle; the loads below stay under it. */
const kept = 512

export type PeerName = 'gateway' | 'nginx' | 'haproxy' | 'caddy' | 'go'

export const peers: Readonly<Record<PeerName, Peer>> = {
  gateway: {
    apt: '',
    version: [process.execPath, '--version'],
    command(spec) {
      const file = write(spec, 'gateway.config.ts', gatewayConfig(spec))
      return { program: process.execPath, args: [join(root, 'core/bin/gateway.js'), 'start', file] }
    },
  },

  nginx: {
    apt: 'nginx-light',
    version: ['nginx', '-v'],
    command(spec) {
      const listen = spec.tls === undefined ? '' : ' ssl http2'
      const server = `
        server {
          listen 127.0.0.1:${spec.port}${listen} backlog=1024;
          ${spec.tls === undefined ? '' : `ssl_certificate ${spec.tls.cert}; ssl_certificate_key ${spec.tls.key};`}
          location / {
            proxy_pass http://upstream;
            proxy_http_version 1.1;
            ${spec.streams ? 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $hop;' : 'proxy_set_header Connection "";'}
            ${spec.streams ? 'proxy_buffering off; proxy_read_timeout 1h;' : ''}
            # As every other peer does: bodies pass through, and none goes to the disk on its way.
            proxy_request_buffering off;
            proxy_max_temp_file_size 0;
          }
        }
        map $http_upgrade $hop { default upgrade; '' ''; }
        upstream upstream { server 127.0.0.1:${spec.upstream}; keepalive ${kept}; keepalive_requests 1000000000; }`
      return nginx(spec, spec.accessLog ? join(spec.folder, 'access.log') : 'off', spec.connections, server)
    },
  },

  haproxy: {
    apt: 'haproxy',
    version: ['haproxy', '-v'],
    command(spec) {
      const tls = spec.tls === undefined ? '' : `ssl crt ${spec.tls.cert} alpn h2,http/1.1`
      const text = `
        global
          nbthread 1
          maxconn ${spec.connections + 100}
          # It would refuse to start without two files a connection; idle ones need one.
          no strict-limits
          # It looks for the key beside the certificate.
          ssl-load-extra-files key
          ${spec.accessLog ? 'log stdout format raw local0 info' : ''}
        defaults
          mode http
          timeout connect 5s
          timeout client ${spec.streams ? '1h' : '60s'}
          timeout server ${spec.streams ? '1h' : '60s'}
          timeout tunnel 1h
          ${spec.accessLog ? 'log global\n          option httplog' : ''}
        frontend clients
          bind 127.0.0.1:${spec.port} backlog 1024 ${tls}
          default_backend upstream
        backend upstream
          http-reuse always
          server upstream 127.0.0.1:${spec.upstream} pool-max-conn ${kept}\n`
      return { program: 'haproxy', args: ['-db', '-f', write(spec, 'haproxy.cfg', text)] }
    },
  },

  caddy: {
    apt: 'caddy',
    version: ['caddy', 'version'],
    command(spec) {
      const text = `
        {
          admin off
          auto_https off
          log {
            level ERROR
            exclude http.log.access
          }
        }
        ${spec.tls === undefined ? 'http' : 'https'}://127.0.0.1:${spec.port} {
          bind 127.0.0.1
          ${spec.tls === undefined ? '' : `tls ${spec.tls.cert} ${spec.tls.key}`}
          ${spec.accessLog ? `log {\noutput file ${join(spec.folder, 'access.log')}\nlevel INFO\n}` : ''}
          reverse_proxy 127.0.0.1:${spec.upstream} {
            transport http {
              keepalive_idle_conns_per_host ${kept}
              compression off
            }
          }
        }\n`
      const file = write(spec, 'Caddyfile', text)
      const env = { GOMAXPROCS: '1', XDG_CONFIG_HOME: spec.folder, XDG_DATA_HOME: spec.folder }
      return { program: 'caddy', args: ['run', '--adapter', 'caddyfile', '--config', file], env }
    },
  },

  go: {
    apt: 'golang-go',
    version: ['go', 'version'],
    async command(spec) {
      const tls = spec.tls === undefined ? [] : ['-cert', spec.tls.cert, '-key', spec.tls.key]
      const args = ['-listen', `127.0.0.1:${spec.port}`, '-upstream', `http://127.0.0.1:${spec.upstream}`, ...tls]
      return { program: await buildGo(), args, env: { GOMAXPROCS: '1' } }
    },
  },
}

export const peerNames = Object.keys(peers) as PeerName[]

/** Nginx as a program of its own: nothing in the system's folders, and not in the background. */
export function nginx(
  at: { readonly folder: string },
  accessLog: string,
  connections: number,
  server: string,
): Command {
  // As root its workers would become `nobody`, who may not read the bench's folder.
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    name => `${name}_temp_path ${at.folder}/${name};`,
  )
  const text = `
    ${user} daemon off; worker_processes 1; pid ${at.folder}/nginx.pid; error_log ${at.folder}/error.log crit;
    worker_rlimit_nofile ${2 * connections + 1_000};
    events { worker_connections ${2 * connections + 500}; }
    http {
      access_log ${accessLog}; sendfile on; client_max_body_size 0; keepalive_requests 1000000000; ${paths.join(' ')}
      ${server}
    }\n`
  return {
    program: 'nginx',
    args: ['-p', at.folder, '-e', `${at.folder}/error.log`, '-c', write(at, 'nginx.conf', text)],
  }
}

function write(at: { readonly folder: string }, name: string, text: string): string {
  mkdirSync(at.folder, { recursive: true })
  const file = join(at.folder, name)
  writeFileSync(file, text)
  return file
}

async function buildGo(): Promise<string> {
  const program = join(folder, 'reverse-proxy')
  if (existsSync(program)) return program
  const { code, output } = await run('go', ['build', '-o', program, `${import.meta.dirname}/peers/reverse-proxy.go`])
  if (code !== 0) throw new Error(`go build says: ${output}`)
  return program
}
