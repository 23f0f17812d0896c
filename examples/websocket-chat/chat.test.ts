import { once } from 'node:events'
import { createGateway, type Gateway, silentLog } from '@gateway/core'
import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { takeScreenshot, useBrowser } from '../../test/support/browser.ts'
import { eventually } from '../../test/support/eventually.ts'
import { type Chat, startChat } from './chat.ts'

const openFirst = useBrowser()
const openSecond = useBrowser()
type Page = Awaited<ReturnType<typeof openFirst>>
let chat: Chat | undefined
let gateway: Gateway | undefined

afterEach(async () => {
  await gateway?.close()
  await chat?.close()
})

test('two browsers and a program chat through the gateway, across a restart of the chat', async () => {
  chat = await startChat(0)
  const { port } = chat
  process.env.CHAT_URL = `http://127.0.0.1:${port}`
  process.env.PORT = '0'
  const { default: config } = await import('./gateway.config.ts')
  gateway = await createGateway({ ...config, drainTimeout: 20 }, { log: silentLog })
  const [address] = await gateway.listen()
  const origin = address?.url ?? ''

  const alice = await openFirst()
  const bob = await openSecond()
  const heard = (page: Page) => page.locator('li').allTextContents()
  const everyoneIs = (state: string) =>
    eventually(async () => {
      for (const page of [alice, bob]) expect(await page.locator('#state').textContent()).toContain(state)
    })
  const everyoneHeard = (text: string) =>
    eventually(async () => {
      for (const page of [alice, bob]) expect((await heard(page)).at(-1)).toContain(text)
    })
  const say = async (page: Page, text: string) => {
    await page.fill('input', text)
    await page.click('button')
    await everyoneHeard(text)
  }
  for (const page of [alice, bob]) await page.goto(origin)
  await everyoneIs('connected')
  await say(alice, 'hello from Alice')
  await say(bob, 'hello from Bob')

  const program = new WebSocket(`${origin.replace('http', 'ws')}/chat`)
  await once(program, 'open')
  const said = once(program, 'message')
  await say(alice, 'anybody else?')
  expect(String((await said)[0])).toBe('anybody else?')
  program.send('a program')
  await everyoneHeard('a program')

  const ended = once(program, 'close')
  await chat.close()
  expect((await ended)[0]).toBe(1012)
  await everyoneIs('closed')
  await takeScreenshot(bob, 'chat-away')
  chat = await startChat(port)
  await everyoneIs('connected')
  await say(bob, 'here again')
  await say(alice, 'so am I')
  await takeScreenshot(alice, 'chat-again')
  expect(gateway.connections.map(({ route, protocol }) => [route, protocol])).toEqual([
    ['chat', 'websocket'],
    ['chat', 'websocket'],
  ])
})
