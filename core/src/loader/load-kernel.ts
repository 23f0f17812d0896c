import { registerHooks } from 'node:module'
import { isKernelImport } from './load-resolve.ts'

let pinned = false

/**
 * From here on every import of the kernel in this process means the running one, whoever asks: a plugin package that was
 * installed beside a kernel of its own would otherwise bring a second one, with a second GatewayError.
 */
export function pinKernel(): void {
  if (pinned) return
  pinned = true
  registerHooks({
    resolve(specifier, context, nextResolve) {
      // This module lies in the kernel's package, so the name resolves to that package itself.
      return nextResolve(specifier, isKernelImport(specifier) ? { ...context, parentURL: import.meta.url } : context)
    },
  })
}
