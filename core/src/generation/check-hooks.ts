import { suggest } from '../config/problem.ts'
import { hookShape } from '../config/schema.ts'

export const routeHookNames = Object.keys(hookShape)
export const gatewayHookNames = ['onConnection', 'onService', 'onRoute']
export const serviceHookNames = ['narrow', 'prefer']

/**
 * What is wrong with the hooks that a plugin returned, to be read after "plugin … ": TypeScript refuses all of it, and a
 * plugin in plain JavaScript whose hook would never run must not look as if it stood guard.
 */
export function hookFault(returned: unknown, names: readonly string[]): string | undefined {
  if (returned === undefined || returned === null) return undefined
  if (typeof returned !== 'object')
    return `returned ${typeof returned === 'function' ? 'a function' : String(returned)} in place of hooks`
  if ('then' in returned && typeof returned.then === 'function') {
    returned.then(undefined, () => {})
    return 'returned a promise: hooks are wanted at once'
  }
  for (const name of Object.keys(returned)) {
    if (!/^on/i.test(name) || names.includes(name) || Reflect.get(returned, name) === undefined) continue
    if (routeHookNames.includes(name)) return `returned "${name}", a hook of a route: return it from onRoute`
    const near = suggest(name, names)
    return `returned an unknown hook "${name}"${near === undefined ? '' : `: did you mean "${near}"?`}`
  }
  // By name, since hooks may be the methods of a class.
  const wrong = names.find(name => !['function', 'undefined'].includes(typeof Reflect.get(returned, name)))
  return wrong === undefined ? undefined : `returned "${wrong}", which is not a function`
}
