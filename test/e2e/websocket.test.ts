import { websocket } from '@gateway/websocket'
import { expect, test } from 'vitest'
import { useBrowser } from '../support/browser.ts'
import { createAuthority } from '../support/certificates.ts'
import { startGateway } from '../support/gateway.ts'
import { lineValue } from '../support/message.ts'
import { rawUpstream } from '../support/upstream.ts'
import { acceptText } from '../support/websocket.ts'
import { responseText, type Wire } from '../support/wire.ts'

const authority = await createAuthority()
const openPage = useBrowser()

/** Frames of a client back as those of a server, until its Close. */
async function echo(wire: Wire): Promise<void> {
  for (;;) {
    const [first = '', second = ''] = (await wire.exactly(2)) ?? ''
    // The test sends short ones only.
    const length = second.charCodeAt(0) & 0x7f
    const mask = (await wire.exactly(4)) ?? ''
    const payload = (await wire.exactly(length)) ?? ''
    const plain = [...payload].map((byte, i) => String.fromCharCode(byte.charCodeAt(0) ^ mask.charCodeAt(i % 4)))
    wire.send(`${first}${String.fromCharCode(length)}${plain.join('')}`)
    if (first === '\x88') return
  }
}

test.each([
  ['https, HTTP/2: a stream of its connection', true, '2 gateway'],
  ['https, HTTP/1.1', false, '1.1 gateway'],
])('Chromium opens a WebSocket, %s', async (_, http2, via) => {
  let asked: readonly string[] = []
  const upstream = await rawUpstream(async wire => {
    const request = await wire.request()
    if (lineValue(request.lines, 'upgrade') === undefined) return wire.send(responseText(200, [], '<h1>hello</h1>'))
    asked = request.lines
    wire.send(acceptText(request, ['Sec-WebSocket-Protocol: chat']))
    await echo(wire)
    wire.socket.end()
  })
  const { cert, key } = await authority.issue({ names: ['IP:127.0.0.1'] })
  const { gateway } = await startGateway({
    listen: { tls: { cert, key }, http2 },
    plugins: [websocket()],
    services: { app: { targets: [upstream.origin] } },
    routes: { app: { match: 'GET /*', service: 'app', websocket: true } },
  })
  const page = await openPage()
  const url = `${gateway.addresses[0]?.url}/`
  await page.goto(url)
  const seen = await page.evaluate(
    address =>
      new Promise(resolve => {
        const socket = new WebSocket(address, ['chat'])
        const got: unknown[] = []
        socket.onopen = () => {
          got.push(socket.protocol)
          socket.send('grüezi')
        }
        socket.onmessage = ({ data }) => {
          got.push(data)
          socket.close(4001, 'bye')
        }
        socket.onclose = ({ code, reason, wasClean }) => resolve([...got, code, reason, wasClean])
      }),
    url.replace('https', 'wss'),
  )
  expect(seen).toEqual(['chat', 'grüezi', 4001, 'bye', true])
  expect(lineValue(asked, 'via')).toBe(via)
  expect(lineValue(asked, 'x-forwarded-proto')).toBe('https')
})
