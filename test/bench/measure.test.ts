import { expect, test } from 'vitest'
import { cpuOf, memoryOf, parseFileLimit, parseH2load, parseMemory, parseStat, parseWrk, treeOf } from './measure.ts'

const fields = (own: string) => `${own} 1 41 41 0 -1 4194304 900 0 0 0 11 22 33 44 20 0 7 0 5 1000 200`

test.each(['(nginx)', '(nginx: worker process)', '(a) S 7 8 (b)'])('the name %s shifts no field of stat', name => {
  expect(parseStat(fields(`42 ${name} S`))).toEqual({ parent: 1, cpuMicros: 1_100_000 })
})

test('memory comes in bytes', () => {
  const text = 'Name:\tnginx\nVmPeak:\t   99999 kB\nVmHWM:\t   13000 kB\nVmRSS:\t   12000 kB\nRssAnon:\t    500 kB\n'
  expect(parseMemory(text)).toEqual({ resident: 12_288_000, peak: 13_312_000 })
})

test('a process that has ended and waits to be asked for has no memory', () => {
  expect(parseMemory('Name:\tnginx\nState:\tZ (zombie)\n')).toEqual({ resident: 0, peak: 0 })
})

test.each([
  ['20000', 20_000],
  ['unlimited', Number.POSITIVE_INFINITY],
])('a hard limit of %s files', (hard, limit) => {
  const text = `Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 ${hard}                files\n`
  expect(parseFileLimit(text)).toBe(limit)
})

test.runIf(process.platform === 'linux')('this process is measured', () => {
  expect(treeOf(process.pid)[0]).toBe(process.pid)
  expect(treeOf(process.ppid)).toContain(process.pid)
  expect(cpuOf(process.pid)).toBeGreaterThan(0)
  const { resident, peak } = memoryOf(process.pid)
  expect(resident).toBeGreaterThan(1e6)
  expect(peak).toBeGreaterThanOrEqual(resident)
})

test.runIf(process.platform === 'linux')('a process that is not there costs nothing', () => {
  // Above the highest pid that Linux gives.
  expect(treeOf(2 ** 22 + 1)).toEqual([])
  expect(cpuOf(2 ** 22 + 1)).toBe(0)
})

test("wrk's result is the line that wrk.lua adds to its summary", () => {
  const output = `Running 1s test @ http://127.0.0.1:20000/
  1 threads and 64 connections
  64512 requests in 1.10s, 14.21MB read
  Non-2xx or 3xx responses: 5
Requests/sec:  58647.11
Transfer/sec:     12.92MB
result requests=64512 micros=1100000 bytes=14900352 p50=881 p99=2310 connect=1 read=2 write=3 timeout=4 status=5
`
  const result = { requests: 64_512, seconds: 1.1, bytes: 14_900_352, p50: 881, p99: 2_310 }
  expect(parseWrk(output)).toEqual({ ...result, badStatus: 5, socketErrors: 10 })
})

test('what wrk says instead of a result is told', () => {
  expect(() => parseWrk('unable to connect to 127.0.0.1:1 Connection refused\n')).toThrow(/Connection refused/)
})

const h2load = `starting benchmark...
Application protocol: h2

finished in 1.02s, 8000.00 req/s, 563.02KB/s
requests: 8015 total, 8056 started, 8015 done, 8000 succeeded, 15 failed, 11 errored, 4 timeout
status codes: 7990 2xx, 0 3xx, 3 4xx, 7 5xx
traffic: 563.02KB (576528) total, 382.81KB (392000) headers (space savings 50.00%), 39.06KB (40000) data
`

test("h2load's result comes from its summary, and the latencies from its log", () => {
  const log = Array.from({ length: 101 }, (_, i) => `1795441418478496\t200\t${101 - i}\n`).join('')
  const result = { requests: 8_015, seconds: 1.02, bytes: 576_528, p50: 51, p99: 100 }
  expect(parseH2load(h2load, log)).toEqual({ ...result, badStatus: 10, socketErrors: 15 })
})

test('what h2load says instead of a result is told', () => {
  expect(() => parseH2load('Connect error: Connection refused\n', '')).toThrow(/Connection refused/)
})
