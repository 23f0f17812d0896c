import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { beforeEach } from 'vitest'

/**
 * The tests of this file or block need a program. Without it they fail in CI, where .ci/run installs it; elsewhere they are
 * skipped and say what to install.
 */
export function needsProgram(program: string, debianPackage: string): void {
  beforeEach(context => {
    if (isInstalled(program)) return
    const remedy = `there is no ${program}: apt-get install -y --no-install-recommends ${debianPackage}`
    if (process.env.CI !== undefined) throw new Error(remedy)
    context.skip(remedy)
  })
}

export function isInstalled(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some(folder => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
