import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from '../../../test/support/folder.ts'
import { type FoundAt, readHar, readLine, recordedRequests } from './recorded-requests.ts'

const common = (quoted: string) => `10.0.0.1 - Jane [D.] Doe [10/Oct/2026:13:55:36 -0700] "${quoted}" 200 2326`

test.each([
  [common('GET /a?b=1 HTTP/1.1'), { method: 'GET', url: '/a?b=1' }],
  [`${common('GET /a HTTP/2.0')} "http://from/" "curl \\"8\\""\r`, { method: 'GET', url: '/a' }],
  [common('OPTIONS * HTTP/1.1'), { method: 'OPTIONS', url: '*' }],
  [common('GET /\\"quoted\\" HTTP/1.1'), { method: 'GET', url: '/\\"quoted\\"' }],
  ['{"msg":"request","method":"PUT","host":"a.test","path":"/a"}', { method: 'PUT', url: '/a', host: 'a.test' }],
])('%s', (line, request) => {
  expect(readLine(line)).toMatchObject(request)
})

test.each([
  [common('\\x16\\x03\\x01'), 'holds no request line'],
  [common('GET /a b HTTP/1.1'), 'holds no request line'],
  [common('GET /a'), 'holds no request line'],
  [common('G(T /a HTTP/1.1'), 'holds no request line'],
  [common('GET /a HTTP/1.1').split('1.1"')[0] ?? '', 'holds no request line'],
  ['10.0.0.1 "GET /a HTTP/1.1"', 'neither JSON nor Common Log Format'],
  ['] "GET /a HTTP/1.1"', 'neither JSON nor Common Log Format'],
  ['{"msg":"request","method":"GET"', 'no JSON'],
  ['{"msg":"request","method":"GET"}', 'names no method or no path'],
])('%s is malformed', (line, fault) => {
  expect(readLine(line)).toEqual({ fault })
})

test.each(['{"msg":"listening"}', '{"msg":"request","method":"GET","path":""}'])('%s is no request', line => {
  expect(readLine(line)).toBe('other')
})

test('HAR entries', () => {
  const request = (more: object) => ({ request: { method: 'GET', url: 'https://a.test/b?c#d', ...more } })
  const entries = [
    request({ headers: [{ name: 'X-A', value: '1' }, { name: 'x-a', value: '2' }, { name: ':authority' }, null] }),
    request({ url: 'blob:https://a.test/1' }),
    request({ method: '' }),
    null,
  ]
  const [first, ...others] = readHar(`\uFEFF${JSON.stringify({ log: { entries } })}`)
  expect(first).toMatchObject({ line: 1, found: { method: 'GET', url: 'https://a.test/b?c' } })
  if (typeof first?.found !== 'object' || !('fields' in first.found)) throw new Error('it is a request')
  expect(first.found.fields.get('X-a')).toBe('1, 2')
  expect(others).toEqual([
    { line: 2, found: { fault: 'its URL is not one of http or https' } },
    { line: 3, found: { fault: 'names no method or no URL' } },
    { line: 4, found: { fault: 'names no method or no URL' } },
  ])
  for (const text of ['', '{}', '[]', '{"log":{"entries":{}}}'])
    expect(() => readHar(text)).toThrow('it is no HAR file')
})

test('lines keep their numbers, across pieces of the file and lines without end', async () => {
  const file = join(makeFolder(), 'access.log')
  const many = Array.from({ length: 5_000 }, (_, i) => common(`GET /ü${i} HTTP/1.1`))
  writeFileSync(file, [...many, '', 'x'.repeat(2_000_000), common('GET /last HTTP/1.1')].join('\n'))
  const all: FoundAt[] = []
  for await (const piece of recordedRequests(file)) all.push(...piece)
  expect(all).toHaveLength(5_002)
  for (const [i, { line, found }] of all.slice(0, 5_000).entries()) {
    expect(line).toBe(i + 1)
    expect(found).toMatchObject({ url: `/ü${i}` })
  }
  expect(all.at(-2)).toEqual({ line: 5_002, found: { fault: expect.stringMatching(/^longer than/) } })
  expect(all.at(-1)).toMatchObject({ line: 5_003, found: { url: '/last' } })
})
