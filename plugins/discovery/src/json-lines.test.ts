import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { readJsonLines } from './json-lines.ts'

async function read(...chunks: (string | Buffer)[]) {
  const told: (readonly unknown[])[] = []
  const stream = Readable.from(
    chunks.map(chunk => Buffer.from(chunk)),
    { objectMode: false },
  )
  for await (const values of readJsonLines(stream)) told.push(values)
  return told
}

test('values may be cut anywhere, also within a character; those that come together stay together', async () => {
  expect(await read('{"a":1}\n{"a":2}\n\n{"a"', ':3}\n', '\n')).toEqual([[{ a: 1 }, { a: 2 }], [{ a: 3 }]])
  expect(await read(...Array.from(Buffer.from('"é€😀"\n'), byte => Buffer.of(byte)))).toEqual([['é€😀']])
})

test('what is no JSON, has no end of a line, or none for too long is an error', async () => {
  await expect(read('[1]\nhello\n')).rejects.toThrow('JSON')
  await expect(read('[1]\n[2]')).rejects.toThrow('it ended in the middle of a line')
  const piece = Buffer.alloc(1024 ** 2, 'a')
  await expect(read(...Array.from({ length: 9 }, () => piece))).rejects.toThrow('a line has more than')
})
