import { describe, expect, test } from 'vitest'
import { startGateway } from '../../support/gateway.ts'
import { lineValue, lineValues } from '../../support/message.ts'
import { expectProblem } from '../../support/problem.ts'
import { refusingOrigin } from '../../support/upstream.ts'
import { connect, exchange } from '../../support/wire.ts'

describe('routing', () => {
  const named = (name: string) => ({ status: 200, body: name })
  const routes = {
    any: { match: 'ANY /*', reply: named('any') },
    list: { match: 'GET /users', reply: named('list') },
    create: { match: 'POST /users', reply: named('create') },
    user: { match: 'GET /users/:id', reply: named('user') },
    me: { match: 'GET /users/me', reply: named('me') },
    files: { match: 'GET /users/files/*', reply: named('files') },
    v2: { match: 'GET /users', headers: { 'X-Version': '2' }, reply: named('v2') },
    beta: { match: 'GET /users', query: { beta: true }, reply: named('beta') },
    pattern: { match: 'GET /users', headers: { accept: /xml/ }, query: { page: '1' }, reply: named('pattern') },
    anonymous: { match: 'GET /secret', headers: { authorization: false }, reply: named('anonymous') },
    exact: { match: 'ANY /*', host: 'api.example.com', reply: named('exact') },
    wild: { match: 'ANY /*', host: '*.example.com', reply: named('wild') },
    deep: { match: 'ANY /*', host: ['*.eu.example.com', 'other.test'], reply: named('deep') },
  }

  test.each([
    ['GET /users', [], 'list'],
    ['HEAD /users', [], ''],
    ['POST /users', [], 'create'],
    ['DELETE /users', [], 'any'],
    ['GET /users/', [], 'any'],
    ['GET /users/7', [], 'user'],
    ['GET /users/me', [], 'me'],
    ['GET /users/files/', [], 'files'],
    ['GET /users/files/a/b', [], 'files'],
    ['GET /users/files', [], 'user'],
    ['GET /users', ['x-version: 2'], 'v2'],
    ['GET /users', ['x-version: 3'], 'list'],
    ['GET /users?beta', [], 'beta'],
    ['GET /users?page=1', ['Accept: text/xml'], 'pattern'],
    ['GET /users?page=2', ['Accept: text/xml'], 'list'],
    ['GET /secret', [], 'anonymous'],
    ['GET /secret', ['Authorization: x'], 'any'],
    ['GET /users', ['Host: api.example.com'], 'exact'],
    ['GET /users', ['Host: API.Example.com.:8080'], 'exact'],
    ['GET /x', ['Host: a.example.com:1'], 'wild'],
    ['GET /x', ['Host: a.eu.example.com'], 'deep'],
    ['GET /x', ['Host: other.test'], 'deep'],
    ['GET /x', ['Host: example.com'], 'any'],
    ['GET http://api.example.com/x', ['Host: other.test'], 'exact'],
  ])('takes %s with %j to %j', async (request, lines, name) => {
    const { port, log } = await startGateway({ routes })
    const response = await exchange(port, request, lines)
    expect([response.status, response.body]).toEqual([200, name])
    if (name !== '') expect(log.access.map(line => line.fields.route)).toEqual([name])
  })

  const few = {
    routes: {
      read: { match: 'GET /items/:id', reply: { status: 200 } },
      write: { match: 'PUT /items/:id', reply: { status: 200 } },
      ours: { match: 'GET /ours', host: 'ours.test', reply: { status: 200 } },
    },
  }

  test.each(['GET /', 'GET /items', 'GET /items/1/2', 'GET /ours'])('knows nothing of %s', async request => {
    const gateway = await startGateway(few)
    expectProblem(gateway, await exchange(gateway.port, request), 'GATEWAY_ROUTE_NOT_FOUND')
  })

  test.each([
    ['OPTIONS *', 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT'],
    ['OPTIONS http://items.test', 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT'],
    ['OPTIONS /files', 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT'],
    ['OPTIONS /items/1', 'GET, HEAD, OPTIONS, PUT'],
  ])('answers %s itself, where it goes no further', async (request, allow) => {
    const target = await refusingOrigin()
    const { port } = await startGateway({
      services: { backend: { targets: [target] } },
      routes: {
        files: { match: 'ANY /files', service: 'backend' },
        read: { match: 'GET /items/:id', service: 'backend' },
        write: { match: 'PUT /items/:id', service: 'backend' },
        ask: { match: 'OPTIONS /items/:id', service: 'backend' },
      },
    })
    const { status, lines } = await exchange(port, request, ['Host: items.test', 'Max-Forwards: 0'])
    expect([status, lineValues(lines, 'allow')]).toEqual([204, [allow]])
  })

  test.each(['POST /items/1', 'DELETE /items/1', 'OPTIONS /items/1'])(
    'has other methods for the path of %s',
    async request => {
      const gateway = await startGateway(few)
      const response = await exchange(gateway.port, request)
      expectProblem(gateway, response, 'GATEWAY_METHOD_NOT_ALLOWED')
      expect(lineValues(response.lines, 'allow')).toEqual(['GET, HEAD, PUT'])
    },
  )

  test('answers an error to HEAD without its body', async () => {
    const { port } = await startGateway(few)
    const client = await connect(port)
    client.send('HEAD /no HTTP/1.1\r\nHost: a\r\n\r\nGET /items/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    const first = await client.response('HEAD')
    expect([first.status, Number(lineValue(first.lines, 'content-length'))]).toEqual([404, expect.any(Number)])
    expect((await client.response()).status).toBe(200)
  })
})
