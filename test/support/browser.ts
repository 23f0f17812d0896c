import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll } from 'vitest'
import { onCleanup } from './cleanup.ts'
import { needsProgram } from './program.ts'

const executablePath = '/usr/bin/chromium'
// QUIC would not be seen by the gateway; the rest keeps it from talking to anybody else.
const args = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/**
 * Debian's Chromium for the tests of this file or block, started once by the first that asks. Without it they are skipped,
 * or fail in CI. What it gives opens a page with nothing stored, which is closed after the test; certificates that a test
 * made itself are taken.
 */
export function useBrowser(): (options?: BrowserContextOptions) => Promise<Page> {
  needsProgram('chromium', 'chromium')
  let started: Promise<Browser> | undefined
  afterAll(async () => (await started)?.close())
  return async options => {
    started ??= chromium.launch({ executablePath, args, chromiumSandbox: false })
    const context = await (await started).newContext({ ignoreHTTPSErrors: true, ...options })
    onCleanup('clients', () => context.close())
    return context.newPage()
  }
}

/** Leaves a picture of the page in a folder that git ignores, and says where. */
export async function takeScreenshot(page: Page, name: string): Promise<void> {
  const path = `.vitest/screenshots/${name}.png`
  await page.screenshot({ path: join(import.meta.dirname, '../..', path) })
  process.stdout.write(`screenshot: ${path}\n`)
}

/** What the page's own request was made with: `http/1.1`, `h2`. */
export function protocolOf(page: Page): Promise<string> {
  // As text: the page's `performance` has an entry that Node's has not.
  return page.evaluate<string>(`performance.getEntriesByType('navigation')[0].nextHopProtocol`)
}
