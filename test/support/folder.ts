import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, onTestFinished, TestRunner } from 'vitest'

/** A folder of its own with these files in it, removed after the test, or, made outside of one, after those of the file. */
export function makeFolder(files: Readonly<Record<string, string>> = {}): string {
  // What tools tell of a file is its real path.
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'gateway-test-')))
  const atEnd = TestRunner.getCurrentTest() === undefined ? afterAll : onTestFinished
  atEnd(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}
