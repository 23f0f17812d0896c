import { anything, table, text } from '../table/field.ts'
import { mapStatic, staticTable } from './registry-static.ts'
import { section } from './section.ts'

const keys = table({
  type: text({
    says: 'Who knows where services run.',
    default: 'static',
    oneOf: ['static', 'docker', 'docker-compose', 'dockercompose', 'kubernetes'],
  }),
  static: staticTable,
  docker: anything(),
  dockerCompose: anything(),
  dockercompose: anything(),
  kubernetes: anything(),
})

/** Comes before the rules, which name its services. */
export const registry = section('registry', keys, (registry, gateway) => {
  if (registry?.type !== undefined && registry.type.value !== 'static') {
    return gateway.problems.error(registry.type, `"${registry.type.value}" needs a plugin that does not exist yet`, {
      code: 'CONFIG_UNSUPPORTED',
    })
  }
  if (registry?.static !== undefined) mapStatic(registry.static, gateway)
})
