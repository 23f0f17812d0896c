import { PassThrough, type Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Spool } from './spool.ts'

/** Reads in pieces of its own size, with pauses. */
async function read(reader: Readable, size: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  for (;;) {
    const piece: unknown = reader.read(Math.min(size, Math.max(1, reader.readableLength)))
    if (piece instanceof Buffer) pieces.push(piece)
    else if (reader.readableEnded || reader.destroyed) return Buffer.concat(pieces)
    await turn()
  }
}

/** A spool whose store has room for all. */
function spoolOf(length: number, limit: number) {
  const source = new PassThrough()
  const ends: (Uint8Array | undefined)[] = []
  const store = { reserved: 0 }
  const spool = new Spool(source, {
    length,
    limit,
    reserve(bytes) {
      store.reserved += bytes
      return true
    },
    release(bytes) {
      store.reserved -= bytes
    },
    onEnd: body => void ends.push(body),
  })
  return { source, spool, ends, store }
}

const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 30 })

test('every reader gets all of it, whenever it comes and however it reads; the store its bytes back', async () => {
  await fc.assert(
    fc.asyncProperty(
      pieces,
      fc.boolean(),
      fc.array(fc.tuple(fc.nat(30), fc.integer({ min: 1, max: 500 })), { minLength: 1, maxLength: 4 }),
      async (body, isLengthKnown, readers) => {
        const whole = Buffer.concat(body)
        const { source, spool, ends, store } = spoolOf(isLengthKnown ? whole.length : -1, 10_000)
        let gone = 0
        const results: Promise<Buffer>[] = []
        const join = (at: number) => {
          for (const [from, size] of readers)
            if (from === at)
              results.push(
                read(
                  spool.reader(() => gone++),
                  size,
                ),
              )
        }
        for (const [at, piece] of body.entries()) {
          join(at)
          source.write(piece)
          await turn()
        }
        for (let at = body.length; at <= 30; at++) join(at)
        source.end()
        for (const result of await Promise.all(results)) expect(result.equals(whole)).toBe(true)
        while (ends.length === 0) await turn()
        expect(ends.map(end => Buffer.from(end ?? '?').equals(whole))).toEqual([true])
        expect([store.reserved, gone]).toEqual([0, readers.length])
      },
    ),
    { seed: 9111, numRuns: 60 },
  )
})

test.each<[string, (source: PassThrough, spool: Spool) => void]>([
  ['breaks', source => void source.destroy(new Error('broken'))],
  ['is not wanted any more', (_source, spool) => spool.abandon()],
])('one that %s leaves nothing, and readers can tell', async (_, end) => {
  const { source, spool, ends, store } = spoolOf(10, 100)
  source.write('half')
  await turn()
  expect(store.reserved).toBe(4)
  const reader = buffer(spool.reader(() => {}))
  await turn()
  end(source, spool)
  await expect(reader).rejects.toThrow()
  expect([store.reserved, ends, source.destroyed, spool.body]).toEqual([0, [undefined], true, undefined])
})

test('one that outgrows its bound gives its bytes back at once, and goes on to its readers', async () => {
  const { source, spool, ends, store } = spoolOf(-1, 100_000)
  const reader = buffer(spool.reader(() => {}))
  for (let sent = 0; sent < 500_000; sent += 50_000) {
    source.write(Buffer.alloc(50_000, 'x'))
    await turn()
    expect(store.reserved).toBeLessThanOrEqual(100_000)
  }
  source.end()
  expect((await reader).length).toBe(500_000)
  expect([store.reserved, ends, spool.body]).toEqual([0, [undefined], undefined])
})
