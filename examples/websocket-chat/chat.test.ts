import { once } from 'node:events'
import { createGateway, type Gateway, silentLog } from '@gateway/core'
import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { useBrowser } from '../../test/support/browser.ts'
import { eventually } from '../../test/support/eventually.ts'
import { type Chat, startChat } from './chat.ts'

const openPage = useBrowser()
let chat: Chat | undefined
let gateway: Gateway | undefined

afterEach(async () => {
  await gateway?.close()
  await chat?.close()
})

test('a page and a program talk through the gateway, also after the chat was started again', async () => {
  chat = await startChat(0)
  const { port } = chat
  process.env.CHAT_URL = `http://127.0.0.1:${port}`
  process.env.PORT = '0'
  const { default: config } = await import('./gateway.config.ts')
  gateway = await createGateway({ ...config, drainTimeout: 20 }, { log: silentLog })
  const [address] = await gateway.listen()
  const origin = address?.url ?? ''

  const page = await openPage()
  await page.goto(origin)
  const heard = () => page.locator('li').allTextContents()
  const state = () => page.locator('#state').textContent()
  await eventually(async () => expect(await state()).toBe('connected'))

  const open = async () => {
    const socket = new WebSocket(`${origin.replace('http', 'ws')}/chat`)
    await once(socket, 'open')
    return socket
  }
  const first = await open()
  first.send('hello from a program')
  await eventually(async () => expect(await heard()).toEqual(['hello from a program']))
  const said = once(first, 'message')
  await page.fill('input', 'hello from a page')
  await page.click('button')
  expect(String((await said)[0])).toBe('hello from a page')

  const ended = once(first, 'close')
  await chat.close()
  expect((await ended)[0]).toBe(1012)
  await eventually(async () => expect(await state()).toContain('closed'))
  chat = await startChat(port)
  await eventually(async () => expect(await state()).toBe('connected'))
  const second = await open()
  second.send('here again')
  await eventually(async () => expect(await heard()).toContain('here again'))
  expect(gateway.connections.map(({ route }) => route)).toEqual(['chat', 'chat'])
  second.terminate()
})
