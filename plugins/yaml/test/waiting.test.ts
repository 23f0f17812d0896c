import { expect, test } from 'vitest'
import { file, told } from './told.ts'

const notYet = (plugin: string) => `warning CONFIG_UNSUPPORTED is not done: the plugin "${plugin}" does not exist yet`

test.each<[string, string, readonly string[]]>([
  ['metrics', 'metrics: { enabled: true, path: /metrics, port: 9090 }', [`10:12 ${notYet('metrics')}`]],
  ['metrics that are off', 'metrics: { path: /metrics }', []],
  [
    'telemetry',
    'telemetry: { enabled: true, service: { name: a }, tracing: { enabled: true, endpoint: "h:4318" } }',
    [`10:14 ${notYet('telemetry')}`],
  ],
  ['telemetry that is off', 'telemetry: { enabled: false, tracing: { enabled: true } }', []],
  [
    'management',
    'management: { enabled: true, port: 9000 }',
    [`10:15 ${notYet('management')}; there are only health, health/live and health/ready`],
  ],
  [
    'management for those who show who they are',
    'management: { enabled: true, port: 9000, auth: { type: token, token: abc } }',
    [`10:15 ${notYet('management')}, and nothing is told to anybody`],
  ],
  ['management that is off', 'management: { port: 9000 }', []],
  [
    'management without a port',
    'management: { enabled: true }',
    ['10:15 error CONFIG_MISSING_KEY is enabled and has no "port"'],
  ],
  [
    'protocols',
    'protocols: { http2: true }',
    ['10:14 warning CONFIG_NO_EFFECT has no effect: services and rules say what they speak'],
  ],
  [
    'backend.grpc',
    'backend: { grpc: { maxMessageSize: 1 } }',
    ['10:20 warning CONFIG_NO_EFFECT has no effect: gRPC passes as it is, by what backend.http says'],
  ],
])('%s', async (_name, gateway, expected) => {
  expect(await told(file({ gateway: `  ${gateway}\n` }))).toEqual(expected)
})

const json = 'warning CONFIG_UNSUPPORTED is not done: the plugin "grpc", which makes gRPC of JSON, does not exist yet'
test.each<[string, string, readonly string[]]>([
  ['gRPC as it is', 'path: /p.S/*, grpc: { service: p.S, protoDescriptor: a.pb }', []],
  ['JSON to gRPC', 'path: /p.S/*, grpc: { service: p.S, enableTranscoding: true }', [`9:82 ${json}`]],
  ['JSON to gRPC by rules', 'path: /p.S/*, backend: grpc, transcoding: { rules: [] }', [`9:69 ${json}`]],
])('%s', async (_name, rule, expected) => {
  expect(await told(file({ rule }))).toEqual(expected)
})
