import { type Anything, anything } from '../table/field.ts'
import { authOfRule } from './auth.ts'
import { rateLimitOfRule } from './rate-limit.ts'
import { type RulePart, rulePart } from './rule-part.ts'

/** Keys that are for a plugin which is not read from YAML yet. */
function pending(plugin: string, ...names: readonly string[]): RulePart {
  const keys: Readonly<Record<string, Anything>> = Object.fromEntries(names.map(name => [name, anything()]))
  return rulePart(keys, (given, _rule, { problems }) => {
    for (const value of Object.values(given)) {
      if (value === undefined) continue
      problems.unsupported(value, `the plugin "${plugin}" is not read from YAML yet`)
    }
  })
}

/** What a rule may say besides what routing itself reads. Each part maps keys of its own. */
export const ruleParts: readonly RulePart[] = [
  authOfRule,
  rateLimitOfRule,
  pending('grpc', 'grpc', 'transcoding', 'backend'),
]
