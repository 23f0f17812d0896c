import { createServer } from 'node:http2'
import { expect, test } from 'vitest'
import { startGateway } from '../../support/gateway.ts'
import { listening } from '../../support/listening.ts'
import { ask, textOf } from './ask.ts'
import { startBackend } from './backend.ts'
import { loadYaml, onFreePorts } from './load-yaml.ts'

async function start(instancePort: number, rule: string, more = ''): Promise<readonly number[]> {
  const config = await loadYaml(`gateway:
  registry:
    static: { services: [{ name: a, instances: [{ address: 127.0.0.1, port: ${instancePort} }] }] }
  router: { rules: [{ ${rule}, serviceName: a }] }
${more}`)
  const { gateway } = await startGateway(onFreePorts(config))
  return gateway.addresses.map(({ port }) => port)
}

test('management: how the gateway is, on a port of its own that has nothing else', async () => {
  const more = '  management: { enabled: true, host: 127.0.0.1, port: 9000, basePath: /admin/ }\n'
  const [main = 0, management = 0] = await start(await startBackend('a'), 'path: /*', more)
  for (const path of ['health', 'health/live', 'health/ready'])
    expect((await ask(management, `GET /admin/${path}`)).status, path).toBe(200)
  expect((await ask(management, 'GET /other')).status).toBe(404)
  expect(await textOf(main, 'GET /admin/health')).toBe('a GET /admin/health')
})

test.each(['grpc: { service: p.S }', 'backend: grpc', 'protocol: grpc'])('gRPC passes over HTTP/2: %s', async how => {
  const server = createServer((_request, response) => response.end('spoken to in HTTP/2'))
  const [port = 0] = await start((await listening(server)).port, `path: /p.S/*, ${how}`)
  expect(await textOf(port, 'POST /p.S/M')).toBe('spoken to in HTTP/2')
})
