import { node, table, text } from '../table/field.ts'
import { composeTable, dockerTable, mapCompose, mapDocker } from './registry-docker.ts'
import { kubernetesTable, mapKubernetes } from './registry-kubernetes.ts'
import { mapStatic, staticTable } from './registry-static.ts'
import { section } from './section.ts'

const keys = table({
  type: text({
    says: 'Who knows where services run.',
    default: 'static',
    oneOf: ['static', 'docker', 'docker-compose', 'dockercompose', 'kubernetes'],
  }),
  static: staticTable,
  docker: dockerTable,
  dockerCompose: composeTable,
  dockercompose: composeTable,
  kubernetes: kubernetesTable,
})

/** Comes before the rules, which name its services. */
export const registry = section('registry', keys, (registry, gateway) => {
  const type = registry?.type
  if (type?.value === 'docker') return mapDocker(registry?.docker, type.node, gateway)
  if (type?.value === 'docker-compose' || type?.value === 'dockercompose')
    return mapCompose(registry?.dockerCompose ?? registry?.dockercompose, type.node, gateway)
  if (type?.value === 'kubernetes') return mapKubernetes(registry?.kubernetes, type.node, gateway)
  if (registry?.static !== undefined) return mapStatic(registry.static, gateway)
  const message = 'has no services: list them under registry.static.services'
  gateway.problems.error(registry?.[node] ?? gateway.root, message, { code: 'CONFIG_MISSING_KEY' })
})
