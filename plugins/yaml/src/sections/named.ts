import { suggest } from '@gateway/core'
import type { Builder } from '../build/builder.ts'
import type { Node } from '../read/node.ts'
import { node as nodeKey } from '../table/field.ts'

/** What is given by the names of rules or services, with these; a name that there is not is told of. */
export function eachNamed<Known, Value extends { readonly [nodeKey]: Node }>(
  kind: 'rule' | 'service',
  given: ReadonlyMap<string, Value> | undefined,
  known: ReadonlyMap<string, Known>,
  { problems, discover }: Builder,
): ReadonlyMap<Known, Value> {
  const found = new Map<Known, Value>()
  for (const [name, value] of given ?? []) {
    const one = known.get(name)
    if (one !== undefined) found.set(one, value)
    // A registry that is asked may know of services that no rule names.
    else if (kind === 'rule' || discover === undefined) {
      const near = suggest(name, known.keys())
      const hint = near === undefined ? {} : { hint: `did you mean "${near}"?` }
      problems.warning(value[nodeKey], `is for a ${kind} "${name}", which there is not`, {
        code: kind === 'rule' ? 'CONFIG_UNKNOWN_ROUTE' : 'CONFIG_UNKNOWN_SERVICE',
        ...hint,
      })
    }
  }
  return found
}
