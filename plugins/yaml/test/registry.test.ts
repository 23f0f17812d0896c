import { expect, test } from 'vitest'
import { told } from './told.ts'

const file = (registry: string) => `gateway:
  registry: ${registry}
  router:
    rules:
      - { serviceName: a, path: /a }
`

test.each<[string, string, readonly (string | RegExp)[]]>([
  ['no block at all', '{ type: docker }', []],
  ['every key', '{ type: docker, docker: { host: unix:///x, labelPrefix: a, network: b, refreshInterval: 5 } }', []],
  [
    'an interval of none',
    '{ type: docker, docker: { refreshInterval: 0 } }',
    ['2:56 error CONFIG_INVALID_VALUE must be a whole number of at least 1, not 0'],
  ],
  [
    'certificates for a socket',
    '{ type: docker, docker: { certPath: /certs } }',
    ['2:49 warning CONFIG_NO_EFFECT has no effect: the engine is reached by a socket of this machine'],
  ],
  [
    'certificates that are not there',
    '{ type: docker, docker: { host: "tcp://e:2376", certPath: /not/there } }',
    [
      '2:71 error CONFIG_INVALID_VALUE cannot be read: /not/there/ca.pem',
      '2:71 error CONFIG_INVALID_VALUE cannot be read: /not/there/cert.pem',
    ],
  ],
  [
    'a key that is none',
    '{ type: docker, docker: { hots: unix:///x } }',
    ['2:39 warning CONFIG_UNKNOWN_KEY unknown key "hots" [did you mean "host"?]'],
  ],
  [
    'Compose without a project',
    '{ type: docker-compose, dockerCompose: {} }',
    [/^2:52 error CONFIG_MISSING_KEY has no "projectName"/],
  ],
  [
    'Compose without anything',
    '{ type: docker-compose }',
    [/^2:3 error CONFIG_MISSING_KEY has no "dockerCompose" with the "projectName"/],
  ],
  [
    'Kubernetes',
    '{ type: kubernetes, kubernetes: { inCluster: true, resyncInterval: 300, labelSelector: a=b } }',
    ['2:100 warning CONFIG_NO_EFFECT has no effect: a Service is found by the name that rules call it by'],
  ],
])('%s', async (_name, registry, expected) => {
  expect(await told(file(registry))).toEqual(
    expected.map(text => (typeof text === 'string' ? text : expect.stringMatching(text))),
  )
})
