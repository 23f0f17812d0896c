import { spawn } from 'node:child_process'
import { pathToFileURL } from 'node:url'

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: { readonly items?: readonly unknown[] }
  readonly result?: unknown
}

/**
 * What an editor offers at each numbered comment (1, 2, … between slash-stars) of a TypeScript text, by TypeScript's own
 * language server (LSP over stdio). The file need not exist; imports resolve as from its folder.
 */
export async function completionsAt(root: string, file: string, text: string): Promise<string[][]> {
  const server = spawn(process.execPath, [`${root}/node_modules/typescript/bin/tsc`, '--lsp', '--stdio'], { cwd: root })
  const waiting = new Map<number, (result: unknown) => void>()
  let received = Buffer.alloc(0)
  let lastId = 0

  const send = (message: object) => {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message })
    server.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
  }
  const ask = (method: string, params: object) =>
    new Promise<unknown>(resolve => {
      const id = ++lastId
      waiting.set(id, resolve)
      send({ id, method, params })
    })
  const receive = ({ id, method, params, result }: Message) => {
    if (id === undefined) return
    // The server asks back for settings; the defaults will do.
    if (method !== undefined) send({ id, result: params?.items?.map(() => null) ?? null })
    else waiting.get(id)?.(result)
  }
  server.stdout.on('data', (piece: Buffer) => {
    received = Buffer.concat([received, piece])
    for (;;) {
      const end = received.indexOf('\r\n\r\n')
      const length = Number(/Content-Length: (\d+)/i.exec(received.toString('latin1', 0, Math.max(0, end)))?.[1])
      if (end === -1 || received.length < end + 4 + length) return
      const message: Message = JSON.parse(received.toString('utf8', end + 4, end + 4 + length))
      received = received.subarray(end + 4 + length)
      receive(message)
    }
  })

  try {
    const uri = pathToFileURL(file).href
    await ask('initialize', { processId: process.pid, rootUri: pathToFileURL(root).href, capabilities: {} })
    send({ method: 'initialized', params: {} })
    send({
      method: 'textDocument/didOpen',
      params: { textDocument: { uri, languageId: 'typescript', version: 1, text } },
    })
    const marks = [...text.matchAll(/\/\*\d\*\//g)]
    const offered: string[][] = []
    for (const { index } of marks) {
      const before = text.slice(0, index).split('\n')
      const position = { line: before.length - 1, character: before.at(-1)?.length ?? 0 }
      const result = await ask('textDocument/completion', { textDocument: { uri }, position })
      offered.push(labelsOf(result))
    }
    return offered
  } finally {
    server.stdin.end()
    server.kill()
  }
}

function labelsOf(result: unknown): string[] {
  const list = Array.isArray(result) ? result : ((result as { items?: unknown[] } | null)?.items ?? [])
  return list.map(item => String((item as { label: unknown }).label).replace(/\?$/, ''))
}
