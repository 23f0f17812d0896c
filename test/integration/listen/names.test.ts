import { testGateway } from '@gateway/testing'
import { expect, test } from 'vitest'
import { startGateway } from '../../support/gateway.ts'
import { exchange } from '../../support/wire.ts'

const named = (name: string) => ({ status: 200, body: name })
const listen = [
  { port: 0, host: '127.0.0.1' },
  { port: 0, host: '127.0.0.1', name: 'admin' },
  { port: 0, host: '127.0.0.1', name: 'sockets', exclusive: true },
]
const routes = {
  page: { match: 'GET /*', reply: named('page') },
  admin: { match: 'GET /users', listener: 'admin', reply: named('admin') },
  chat: { match: 'GET /chat', listener: 'sockets', reply: named('chat') },
  both: { match: 'GET /both', listener: ['sockets', 'admin'], reply: named('both') },
}

test('a route is reached by the listeners that it names, an exclusive one has no other', async () => {
  const { gateway } = await startGateway({ listen, routes })
  const ports = gateway.addresses.map(({ port }) => port)
  expect(gateway.addresses.map(({ name }) => name)).toEqual([undefined, 'admin', 'sockets'])
  const answers = async (path: string) => {
    const each = ports.map(async port => {
      const { status, body } = await exchange(port, `GET ${path}`)
      return status === 200 ? body.toString() : status
    })
    return Promise.all(each)
  }
  expect(await answers('/users')).toEqual(['page', 'admin', 404])
  expect(await answers('/chat')).toEqual(['page', 'page', 'chat'])
  expect(await answers('/both')).toEqual(['page', 'both', 'both'])

  const moved = { ...routes, chat: { ...routes.chat, listener: 'admin' } }
  await gateway.reload({ listen, routes: moved })
  expect(await answers('/chat')).toEqual(['page', 'chat', 404])
  const open = listen.map(({ exclusive: _, ...listener }) => listener)
  await gateway.reload({ listen: open, routes: moved })
  expect(await answers('/users')).toEqual(['page', 'admin', 'page'])
})

test('a request in process comes to the listener of its port', async () => {
  const fixed = [{ port: 8080 }, { port: 8081, name: 'sockets', exclusive: true }]
  const { page, chat } = routes
  await using gateway = await testGateway({ listen: fixed, routes: { page, chat } })
  const answers = async (path: string) =>
    Promise.all(
      ['http://localhost:8080', 'http://localhost:8081', 'http://localhost:9'].map(async origin => {
        const response = await gateway.fetch(origin + path)
        return response.ok ? response.text() : response.status
      }),
    )
  expect(await answers('/chat')).toEqual(['page', 'chat', 'page'])
  expect(await answers('/')).toEqual(['page', 404, 'page'])
})
