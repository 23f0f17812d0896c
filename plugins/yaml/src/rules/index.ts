import { type Anything, anything } from '../table/field.ts'
import { type RulePart, rulePart } from './rule-part.ts'

/** Keys that are for a plugin which is not read from YAML yet. */
function pending(plugin: string, ...names: readonly string[]): RulePart {
  const keys: Readonly<Record<string, Anything>> = Object.fromEntries(names.map(name => [name, anything()]))
  return rulePart(keys, (given, _rule, { problems }) => {
    for (const value of Object.values(given)) {
      if (value === undefined) continue
      // The gateway would be open where the file says that it is not.
      if (plugin === 'auth') problems.error(value, 'is not read from YAML yet', { code: 'CONFIG_UNSUPPORTED' })
      else problems.unsupported(value, `the plugin "${plugin}" is not read from YAML yet`)
    }
  })
}

/** What a rule may say besides what routing itself reads. Each part maps keys of its own. */
export const ruleParts: readonly RulePart[] = [
  pending('auth', 'authRequired', 'authType', 'auth', 'middleware'),
  pending('ratelimit', 'rateLimit', 'rateLimitBurst', 'rateLimitExpiration', 'rateLimitStorage'),
  pending('grpc', 'grpc', 'transcoding', 'backend'),
]
