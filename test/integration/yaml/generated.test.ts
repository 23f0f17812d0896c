import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { createAuthority } from '../../support/certificates.ts'
import { generatedConfigs } from './generated-configs.ts'
import { packageFolder } from './read-model.ts'

const folder = packageFolder()
afterAll(() => folder[Symbol.dispose]())

test('files made of the catalogue load, convert and load again to the same model', async () => {
  const authority = await createAuthority()
  const { certFile: cert, keyFile: key } = await authority.issue()
  const tally = { files: 0, refused: 0 }
  const property = generatedConfigs(join(folder.folder, 'gateway.yaml'), { cert, key, ca: authority.certFile }, tally)
  await fc.assert(property, { numRuns: 60, seed: 8, interruptAfterTimeLimit: 10_000 })
  // A generator of files that are refused would prove nothing.
  expect(tally.refused).toBeLessThan(tally.files / 2)
})
