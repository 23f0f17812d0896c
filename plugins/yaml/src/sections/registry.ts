import { anything, node, table, text } from '../table/field.ts'
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
    // Whatever rules name is taken to be there: what is wrong is told of once.
    gateway.discover = service => service.set('targets', ['http://missing.invalid'])
    return gateway.problems.error(registry.type, `"${registry.type.value}" needs a plugin that does not exist yet`, {
      code: 'CONFIG_UNSUPPORTED',
    })
  }
  if (registry?.static !== undefined) return mapStatic(registry.static, gateway)
  const message = 'has no services: list them under registry.static.services'
  gateway.problems.error(registry?.[node] ?? gateway.root, message, { code: 'CONFIG_MISSING_KEY' })
})
