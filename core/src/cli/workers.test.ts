import { once } from 'node:events'
import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { makeFolder } from '../../../test/support/folder.ts'
import { listening } from '../../../test/support/listening.ts'
import { launch, run } from './command-line.fixture.ts'

test('start --workers 2: lines of the log name the worker, SIGTERM drains all of them', async () => {
  const waiting: (() => void)[] = []
  const upstream = createServer((_, response) => void waiting.push(() => response.end('slow')))
  const { port } = await listening(upstream)
  const config = `import { defineConfig } from '@gateway/core'
export default defineConfig({
  listen: { port: 70000 },
  log: { access: true },
  services: { slow: { targets: ['http://127.0.0.1:${port}'] } },
  routes: { slow: { match: 'GET /slow', service: 'slow' } },
})
`
  const folder = makeFolder({ 'gateway.config.ts': config })
  const gateway = launch(folder, 'start', '--workers', '2', '--port', '0', '--host', '127.0.0.1')
  const url = await gateway.url()
  const answers = Array.from({ length: 8 }, async () => (await fetch(`${url}/slow`)).text())
  while (waiting.length < 8) await once(upstream, 'request')
  gateway.child.kill('SIGTERM')
  await gateway.printed(/"signal":"SIGTERM","inFlight":8,"msg":"stopping"/)
  for (const answer of waiting) answer()
  expect(await Promise.all(answers)).toEqual(Array(8).fill('slow'))
  const { code, stdout, stderr } = await gateway.ended
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const lines = stdout.trim().split('\n')
  const served = lines.map(line => JSON.parse(line)).filter(({ msg }) => msg === 'request')
  expect(served.length).toBe(8)
  expect(served.every(({ worker }) => worker === 0 || worker === 1)).toBe(true)
  expect(lines.filter(line => line.includes('"listening"')).length).toBe(1)

  const wrong = await run(folder, 'start', '--workers', '65')
  expect(wrong).toMatchObject({ code: 2, stdout: '' })
  expect(wrong.stderr).toContain('--workers must be a number from 1 to 64, or auto, not "65"')
})
