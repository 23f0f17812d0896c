import { balancing } from '@gateway/balancing'
import { expect, test } from 'vitest'
import { proxyTo, startGateway } from '../../support/gateway.ts'
import { lineValue } from '../../support/message.ts'
import { refusingOrigin } from '../../support/upstream.ts'
import { openWebSocket, websocketUpstream } from '../../support/websocket.ts'

const route = { onTunnel() {} }

test('WebSockets are requests in flight: least requests spreads them', async () => {
  // Of two targets both are looked at, so that chance decides nothing.
  const upstreams = [await websocketUpstream(), await websocketUpstream()]
  const gateway = await startGateway(
    proxyTo(
      upstreams.map(({ origin }) => origin),
      { route, plugins: [balancing()], service: { balance: 'leastRequests' } },
    ),
  )
  for (let i = 0; i < 8; i++) expect((await openWebSocket(gateway.port)).response.status).toBe(101)
  expect(upstreams.map(({ wires }) => wires.length)).toEqual([4, 4])
})

test('a sticky session holds for WebSockets: the 101 sets its cookie', async () => {
  const upstreams = [await websocketUpstream(), await websocketUpstream(), await websocketUpstream()]
  const gateway = await startGateway(
    proxyTo(
      upstreams.map(({ origin }) => origin),
      { route, plugins: [balancing({ key: 'k'.repeat(32) })], service: { balancing: { sticky: { cookie: {} } } } },
    ),
  )
  const { response } = await openWebSocket(gateway.port)
  const cookie = lineValue(response.lines, 'set-cookie')?.split(';')[0] ?? ''
  expect(cookie).not.toBe('')
  for (let i = 0; i < 5; i++) await openWebSocket(gateway.port, '/', [`Cookie: ${cookie}`])
  expect(upstreams.map(({ wires }) => wires.length).toSorted()).toEqual([0, 0, 6])
})

test('a target that cannot be reached is passed over', async () => {
  const upstream = await websocketUpstream()
  const gateway = await startGateway(proxyTo([await refusingOrigin(), upstream.origin], { route }))
  for (let i = 0; i < 4; i++) expect((await openWebSocket(gateway.port)).response.status).toBe(101)
})
